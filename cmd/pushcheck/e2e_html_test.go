//go:build e2e

package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/report"
	tables "github.com/pushcheck/pushcheck/internal/report/page"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A browser is a tab of a real Chromium that shows one page of ours.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex // guards problems
	problems []string   // what the page did that it must not
}

// TestE2EHTML looks at the pages that --html writes in a real Chromium, as people
// do: with a keyboard, on a phone, in the dark, without colours.
func TestE2EHTML(t *testing.T) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
	)
	allocator, end := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(end)
	chromium, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	require.NoError(t, chromedp.Do(chromium, chromedp.Navigate("about:blank")))
	pages := htmlPages(t)
	packed, err := os.Stat(pages["packed"])
	require.NoError(t, err)
	require.Less(t, packed.Size(), int64(400_000), "every fault at four steps")
	for name, file := range pages {
		t.Run(name+" with a keyboard", func(t *testing.T) { keyboard(browse(t, chromium, file, 1200, 900)) })
		t.Run(name+" on a phone", func(t *testing.T) { legible(browse(t, chromium, file, 360, 740), "light") })
		t.Run(name+" on a phone in the dark", func(t *testing.T) { legible(browse(t, chromium, file, 360, 740), "dark") })
		t.Run(name+" by a link to a cell", func(t *testing.T) { linked(t, chromium, file) })
		t.Run(name+" without colours", func(t *testing.T) { colourless(browse(t, chromium, file, 1200, 900), name) })
	}
	t.Run("without its script", func(t *testing.T) { scriptless(t, chromium, pages["sweep"]) })
	t.Run("packed, without its script", func(t *testing.T) { scriptlessPacked(t, chromium, pages["packed"]) })
	t.Run("of hostile peers", func(t *testing.T) { hostilePeers(t, chromium) })
}

// patience bounds one action of the browser.
const patience = 30 * time.Second

// browse opens a page in a tab of its own.
func browse(t *testing.T, chromium context.Context, file string, width, height int64) *browser {
	t.Helper()
	ctx, end := chromedp.NewContext(chromium)
	t.Cleanup(end)
	b := &browser{t: t, ctx: ctx}
	require.NoError(t, chromedp.Listen(ctx, b.hear))
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	_, err = chromedp.Call(ctx, cdplog.Enable, cdp.Empty{})
	require.NoError(t, err)
	b.do(chromedp.EmulateViewport(width, height), chromedp.Navigate("file://"+file))
	return b
}

// hear notes what a page of ours never does.
func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *cdplog.EventEntryAdded:
		b.problems = append(b.problems, "the browser says: "+e.Entry.Text)
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, "the script fails: "+e.ExceptionDetails.Text)
	case *cdppage.EventJavascriptDialogOpening:
		b.problems = append(b.problems, "a dialog opens: "+e.Message)
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Scheme != "file" {
			b.problems = append(b.problems, "it fetches "+e.Request.URL)
		}
	}
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, end := context.WithTimeout(b.ctx, patience)
	defer end()
	require.NoError(b.t, chromedp.Do(ctx, actions...))
}

// ask evaluates an expression of JavaScript.
func ask[T any](b *browser, expression string) T {
	b.t.Helper()
	ctx, end := context.WithTimeout(b.ctx, patience)
	defer end()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err, expression)
	return got
}

// opened says whether the evidence of a cell is open.
const opened = `document.querySelector('article:target')?.checkVisibility() === true && document.querySelector('article:target h2 ~ .sum') !== null`

// until waits for an expression to become true.
func (b *browser) until(expression string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return ask[bool](b, expression) }, patience, 20*time.Millisecond, expression)
}

// click clicks with the mouse on the first element of a selector.
func (b *browser) click(selector string) {
	b.t.Helper()
	at := ask[[]float64](b, fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		e.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
		const r = e.getBoundingClientRect();
		return [r.x + r.width / 2, r.y + r.height / 2];
	})()`, selector))
	b.do(chromedp.MouseClickXY(at[0], at[1]))
}

// quiet fails the test where the page did what it must not.
func (b *browser) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Empty(b.t, b.problems)
}

// picture keeps a screenshot: go test -artifacts says where.
func (b *browser) picture(name string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(b.t.ArtifactDir(), name+".png"), png, 0o600))
}

// htmlPage runs pushcheck with --html and returns the page's path.
func htmlPage(t *testing.T, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.html")
	out, err := exec.Command("pushcheck", append(args, "--html", file)...).CombinedOutput()
	if exit := new(exec.ExitError); err != nil && (!asExit(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("pushcheck %v: %v\n%s", args, err, out)
	}
	return file
}

func asExit(err error, exit **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError) //nolint:errorlint // exec wraps nothing
	*exit = e
	return ok
}

// htmlPages are one page of each command that writes one.
func htmlPages(t *testing.T) map[string]string {
	return map[string]string{
		"sweep":  htmlPage(t, "sweep", "--client", "docker-20.10", "--fault", "reset", "--fault", "denied", "--fault", "commit-fake", "--fault", "corrupt", "--fault", "stall", "--fault", "location-downgrade"),
		"packed": htmlPage(t, "sweep", "--client", "docker-20.10", "--step", "upload.put", "--step", "manifest.put"),
		"matrix": htmlPage(t, "matrix", "auth", "--client", "docker-1.8", "--client", "docker-20.10", "--client", "best"),
		"run":    htmlPage(t, "run", "auth"),
	}
}

// focused is the ID of the element that has the keyboard.
const focused = `document.activeElement.id`

func keyboard(b *browser) {
	t := b.t
	require.True(t, ask[bool](b, `document.documentElement.classList.contains('scripted')`), "the script does not run under the page's own policy")
	require.NotEqual(t, "0px", ask[string](b, `getComputedStyle(document.querySelector('.scroll')).borderTopWidth`), "the style does not apply under the page's own policy")
	b.picture("whole")
	for range 30 { // past the legend, to the first cell
		b.do(chromedp.KeyEvent(kb.Tab))
		if ask[bool](b, `document.activeElement.matches('.scroll a.v')`) {
			break
		}
	}
	first := ask[string](b, focused)
	require.NotEmpty(t, first, "the keyboard does not come to a cell")
	b.do(chromedp.KeyEvent(kb.ArrowDown))
	second := ask[string](b, focused)
	require.NotEqual(t, first, second)
	b.do(chromedp.KeyEvent(kb.ArrowUp))
	require.Equal(t, first, ask[string](b, focused))
	b.do(chromedp.KeyEvent(kb.End))
	last := ask[string](b, focused)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(opened)
	require.Equal(t, "e"+last, ask[string](b, focused), "the keyboard is not in what was opened")
	require.Equal(t, 1, ask[int](b, `[...document.querySelectorAll('article')].filter((a) => a.offsetParent !== null || getComputedStyle(a).display !== 'none').length`))
	b.picture("opened")
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until("!(" + opened + ")")
	require.Equal(t, last, ask[string](b, focused), "the keyboard does not come back")
	b.do(chromedp.KeyEvent(kb.Tab))
	require.False(t, ask[bool](b, `document.activeElement.matches('.scroll a.v')`), "a table is more than one stop of the Tab key")
	b.quiet()
}

// linked opens a page by the address of what is behind a cell.
func linked(t *testing.T, chromium context.Context, file string) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), `<article id="`)
	require.True(t, found)
	id, _, _ := strings.Cut(rest, `"`)
	b := browse(t, chromium, file+"#"+id, 1200, 900)
	b.until(opened)
	b.until(fmt.Sprintf("%s === %q", focused, id))
	b.quiet()
}

// scriptless opens a page whose script was taken out.
func scriptless(t *testing.T, chromium context.Context, file string) {
	b := browse(t, chromium, withoutScript(t, file), 360, 740)
	require.False(t, ask[bool](b, `document.getElementById('pack') !== null`), "the page is packed")
	b.click(".scroll a.v")
	b.until(opened)
	b.click("article:target a.close")
	b.until("!(" + opened + ")")
	b.quiet()
}

// scriptlessPacked opens a packed page whose script was taken out: the table is there,
// and the page says what is not.
func scriptlessPacked(t *testing.T, chromium context.Context, file string) {
	b := browse(t, chromium, withoutScript(t, file), 360, 740)
	require.True(t, ask[bool](b, `document.querySelector('.needs').checkVisibility()`), "the page does not say that it needs its script")
	b.click(".scroll a.v")
	b.until(`document.querySelector('article:target')?.checkVisibility() === true`)
	require.Contains(t, ask[string](b, `getComputedStyle(document.querySelector('article:target'), '::before').content`), "the page's script unpacks it")
	b.quiet()
}

func withoutScript(t *testing.T, file string) (bare string) {
	t.Helper()
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	before, _, found := strings.Cut(string(whole), "<script>")
	require.True(t, found)
	bare = filepath.Join(t.TempDir(), "bare.html")
	require.NoError(t, os.WriteFile(bare, []byte(before+"</body></html>"), 0o600))
	return bare
}

// contrasts finds text that is less than 4.5 : 1 against what is behind it (WCAG
// 2.2, 1.4.3), elements that show.
const contrasts = `(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (c) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const light = (c) => [0.2126, 0.7152, 0.0722].reduce((s, f, i) => { const v = c[i] / 255; return s + f * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); }, 0);
  const found = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim() !== '');
    if (!own || !e.checkVisibility() || e.closest('.off') || e.matches('script, .hidden')) continue;
    const chain = [];
    for (let p = e; p; p = p.parentElement) chain.unshift(rgba(getComputedStyle(p).backgroundColor));
    const behind = chain.reduce((under, top) => over(top, under), [255, 255, 255, 1]);
    const ink = over(rgba(getComputedStyle(e).color), behind);
    const [a, b] = [light(ink), light(behind)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push(e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 30) + ' ' + ratio.toFixed(2));
  }
  return [...new Set(found)].slice(0, 10);
})()`

// brokenWords finds words of up to twelve letters in the heads of a wide table's rows
// that stand on more than one line.
const brokenWords = `[...document.querySelectorAll('.wide tbody th[scope=row]')].flatMap((e) => {
  const text = e.firstChild, range = document.createRange();
  if (text?.nodeType !== 3) return [];
  return [...text.data.matchAll(/[a-zA-Z0-9]{2,12}/g)].filter((m) => {
    range.setStart(text, m.index);
    range.setEnd(text, m.index + m[0].length);
    return new Set([...range.getClientRects()].map((r) => r.top)).size > 1;
  }).map((m) => m[0] + ' of ' + text.data);
}).slice(0, 10)`

func legible(b *browser, scheme string) {
	t := b.t
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	require.NoError(t, err)
	require.Empty(t, ask[[]string](b, contrasts))
	require.LessOrEqual(t, ask[int](b, `document.documentElement.scrollWidth`), 360, "the page is wider than a phone")
	require.GreaterOrEqual(t, ask[float64](b, `Math.min(...[...document.querySelectorAll('.scroll a.v, button')]
		.map((e) => Math.min(e.getBoundingClientRect().width, e.getBoundingClientRect().height)))`), 24.0, "a finger misses (WCAG 2.2, 2.5.8)")
	require.GreaterOrEqual(t, ask[float64](b, `Math.min(1000, ...[...document.querySelectorAll('.wide tbody th[scope=row]')]
		.map((e) => e.getBoundingClientRect().width / parseFloat(getComputedStyle(e).fontSize)))`), 7.0, "the heads of rows have no room, in em")
	require.Empty(t, ask[[]string](b, brokenWords), "words that are broken")
	b.picture("phone-" + scheme)
	b.click(".scroll a.bad, .scroll a.fair, .scroll a.v")
	b.until(opened)
	require.Empty(t, ask[[]string](b, contrasts))
	require.LessOrEqual(t, ask[int](b, `document.querySelector('article:target').scrollWidth`), 360, "what is opened is wider than a phone")
	b.picture("phone-opened-" + scheme)
	b.quiet()
}

// colourless checks that verdicts are told apart by their marks, and said in words.
func colourless(b *browser, name string) {
	t := b.t
	require.Empty(t, ask[[]string](b, `(() => {
		const marks = {}, wrong = [];
		for (const td of document.querySelectorAll('td[data-v]')) {
			const v = td.dataset.v, mark = td.textContent.trim().slice(0, 1), name = td.querySelector('[aria-label]');
			if ((marks[mark] ??= v) !== v) wrong.push(mark + ' is ' + v + ' and ' + marks[mark]);
			if (name && !name.getAttribute('aria-label').includes(v)) wrong.push(name.getAttribute('aria-label') + ' does not say ' + v);
		}
		for (const th of document.querySelectorAll('.scroll th')) if (!th.scope) wrong.push('a head without scope: ' + th.textContent);
		return wrong;
	})()`), name)
	if name == "sweep" {
		require.Positive(t, ask[int](b, `[...document.querySelectorAll('article')].filter((a) => a.querySelector('li.struck mark')).length`), "no fault is marked on the wire")
	}
	b.quiet()
}

// hostilePeers opens pages whose every text is hostile.
func hostilePeers(t *testing.T, chromium context.Context) {
	for i, s := range []string{
		"\x00</script><script>document.title = 'owned'</script>", `"><img src=http://127.0.0.1:1/x onerror="document.title='owned'">`, "</style></script><script>document.title='owned'</script>",
		"\x1b[2J\u009b\u202e<b>", "javascript:document.title='owned'", strings.Repeat("x<", 50_000),
	} {
		r := report.Result{
			ID: s, Title: s, Client: s, Because: s, Ending: s, Said: []string{s}, Held: []report.Holding{{What: s, Is: s}},
			Failures: []report.Failure{{Name: "n", Message: s}},
			Trace: wire.Trace{{
				Seq: 1, Fault: s, Route: wire.Route{Op: wire.OpPing, Tag: s}, Request: wire.Request{Method: "GET", Host: s, Target: s},
				Response: wire.Response{Status: 500, Body: wire.Body{Length: 9, Head: []byte(s)}},
			}},
		}
		p := &tables.Page{
			Title: "page", Verdicts: []tables.Verdict{{Name: "bad", Mark: "✗", Tone: tables.ToneBad, Doc: s}},
			Tables: []tables.Table{{Corner: "x", Columns: []tables.Head{{Name: s}}, Rows: []tables.Row{{Head: tables.Head{Name: s}, Cells: []tables.Cell{{
				Verdict: "bad", Summary: s, Evidence: &tables.Evidence{Result: r, Again: s, File: s, Text: s},
			}}}}}},
		}
		openHostile(t, chromium, fmt.Sprintf("hostile%d.html", i), p, 1)
		r.Said = slices.Repeat(r.Said, 250)
		p.Tables[0].Rows[0].Cells[0].Evidence.Result = r
		p.Tables[0].Rows = slices.Repeat(p.Tables[0].Rows, 20)
		openHostile(t, chromium, fmt.Sprintf("packed%d.html", i), p, 2)
	}
}

// openHostile opens the first cell of a page: it is still the page that it was, with
// its own scripts alone.
func openHostile(t *testing.T, chromium context.Context, name string, p *tables.Page, scripts int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	f, err := os.Create(file)
	require.NoError(t, err)
	require.NoError(t, p.WriteHTML(f))
	require.NoError(t, f.Close())
	b := browse(t, chromium, file, 1200, 900)
	b.click(".scroll a.v")
	b.until(opened)
	require.Equal(t, "page", ask[string](b, `document.title`), name)
	require.Equal(t, scripts, ask[int](b, `document.scripts.length`), name)
	require.Zero(t, ask[int](b, `document.images.length`), name)
	b.quiet()
}
