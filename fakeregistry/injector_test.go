package fakeregistry_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// answers sends requests and says which answers came back: "-" is the registry's own.
func answers(t *testing.T, s *fakeregistry.Server, requests ...string) string {
	t.Helper()
	c := client(t, s)
	var out []string
	for _, r := range requests {
		method, target, _ := strings.Cut(r, " ")
		got := do(t, c, method, s.URL()+target, nil)
		switch {
		case got.Err != nil && got.Status == 0:
			out = append(out, "x")
		case got.Status == http.StatusAccepted:
			out = append(out, "-")
		default:
			out = append(out, fmt.Sprint(got.Status))
		}
	}
	return strings.Join(out, " ")
}

func repeat(request string, n int) []string { return slices.Repeat([]string{request}, n) }

func TestTriggers(t *testing.T) {
	t.Parallel()
	const other = "GET /v2/lib/app/tags/list"
	blob := func(n int) string { return "HEAD /v2/lib/app/blobs/sha256:" + strings.Repeat(fmt.Sprint(n), 64) }
	for name, row := range map[string]struct {
		faults   []string // "where settings…"
		requests []string
		want     string
		idle     int
	}{
		"always":                {[]string{"ping status=500"}, repeat(ping, 3), "500 500 500", 0},
		"nth":                   {[]string{"ping status=500 nth=2"}, repeat(ping, 3), "- 500 -", 0},
		"times":                 {[]string{"ping status=500 times=2"}, repeat(ping, 3), "500 500 -", 0},
		"every":                 {[]string{"ping status=500 every=2"}, repeat(ping, 5), "- 500 - 500 -", 0},
		"every and times":       {[]string{"ping status=500 every=2 times=1"}, repeat(ping, 5), "- 500 - - -", 0},
		"never":                 {[]string{"ping status=500 nth=4"}, repeat(ping, 3), "- - -", 1},
		"optional":              {[]string{"ping status=500 nth=4 optional=true"}, repeat(ping, 3), "- - -", 0},
		"another operation":     {[]string{"ping status=500 nth=2"}, []string{ping, other, ping}, "- - 500", 0},
		"glob":                  {[]string{"tags.* status=500"}, []string{ping, other}, "- 500", 0},
		"two operations":        {[]string{"ping,tags.list status=500"}, []string{ping, other, startUpload}, "500 500 -", 0},
		"first wins, then next": {[]string{"ping status=500 times=1", "ping status=501 times=1"}, repeat(ping, 3), "500 501 -", 0},
		"nth, owed":             {[]string{"ping status=500 times=1", "ping status=501 nth=1"}, repeat(ping, 3), "500 501 -", 0},
		"always shadows":        {[]string{"ping status=500", "ping status=501 nth=1"}, repeat(ping, 2), "500 500", 1},
		"after an operation":    {[]string{"ping status=500 after-event=tags.list"}, []string{ping, other, ping}, "- - 500", 0},
		"after an answer":       {[]string{"ping status=500 after-event=tags.list@503", "tags.list status=503 nth=2"}, []string{other, ping, other, ping}, "- - 503 500", 0},
		"until an operation":    {[]string{"ping status=500 until=tags.list"}, []string{ping, other, ping}, "500 - -", 0},
		"after a fault":         {[]string{"ping status=500 after-event=respond", "tags.list status=503"}, []string{ping, other, ping}, "- 503 500", 0},
		"nth counts after":      {[]string{"ping status=500 after-event=tags.list nth=2"}, []string{ping, other, ping, ping}, "- - - 500", 0},
		"by answer":             {[]string{"ping@202 status=500 nth=2"}, repeat(ping, 3), "- 500 -", 0},
		"by another answer":     {[]string{"ping@4xx status=500"}, repeat(ping, 2), "- -", 1},
		"per digest":            {[]string{"blob.head status=500 times=1 per=digest"}, []string{blob(1), blob(1), blob(2), blob(2)}, "500 - 500 -", 0},
		"per repository": {
			[]string{"tags.list status=500 nth=2 per=repository"},
			[]string{other, "GET /v2/b/tags/list", other, "GET /v2/b/tags/list"},
			"- - 500 500", 0,
		},
		"per connection": {[]string{"ping status=500 nth=2 per=connection"}, repeat(ping, 3), "- - -", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var faults []fakeregistry.Fault
			for _, f := range row.faults {
				words := strings.Fields(f)
				faults = append(faults, fault(t, "respond", words[0], words[1:]...))
			}
			s := start(t, fakeregistry.Config{Faults: faults})
			if got := answers(t, s, row.requests...); got != row.want {
				t.Errorf("answers are %q, want %q", got, row.want)
			}
			if n := len(s.Idle()); n != row.idle {
				t.Errorf("%d faults are idle, want %d", n, row.idle)
			}
		})
	}
}

func TestTriggersThatWaitForABrokenConnection(t *testing.T) {
	t.Parallel()
	const other = "GET /v2/lib/app/tags/list"
	for _, how := range []string{"reset", "close"} {
		answer := map[string]string{"reset": "reset", "close": "closed"}[how]
		s := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{
			fault(t, "respond", "ping", "status=500", "after-event=tags.list@"+answer), fault(t, how, "tags.list", "nth=2"),
		}})
		if got := answers(t, s, other, ping, other); got != "- - x" {
			t.Errorf("%s: answers are %q", how, got)
		}
		waitFor(t, "the exchange to end", func() bool { return !s.Trace()[2].Open })
		if got := answers(t, s, ping); got != "500" {
			t.Errorf("%s: after it %q, want 500", how, got)
		}
	}
	s := start(t, fakeregistry.Config{
		Registry: handler(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/" {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(http.StatusAccepted)
		}),
		Faults: []fakeregistry.Fault{fault(t, "respond", "ping", "status=500", "after-event=tags.list@closed")},
	})
	if got := answers(t, s, ping, other, ping); got != "- x 500" {
		t.Errorf("a registry that breaks by itself: %q", got)
	}
}

func TestWhatFindsNothingToDisturbDoesNotCount(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{fault(t, "range-missing", "upload.*", "times=1")}})
	p := newPusher(t, s)
	p.send(http.MethodPost, "/v2/lib/app/blobs/uploads/", nil)
	for _, want := range []string{"", "0-9"} {
		if got := p.send(http.MethodPatch, "/v2/lib/app/blobs/uploads/abc", make([]byte, 10)).Header.Get("Range"); got != want {
			t.Errorf("Range is %q, want %q", got, want)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	hash := "sha256:" + strings.Repeat("a", 64)
	for name, row := range map[string]struct {
		on     fakeregistry.Match
		method string
		target string
		header string
		want   bool
	}{
		"everything":          {fakeregistry.Match{}, "GET", "/v2/", "", true},
		"repository":          {fakeregistry.Match{Repo: "lib/app"}, "GET", "/v2/lib/app/tags/list", "", true},
		"another repository":  {fakeregistry.Match{Repo: "lib/app"}, "GET", "/v2/lib/apple/tags/list", "", false},
		"repository glob":     {fakeregistry.Match{Repo: "lib/*"}, "GET", "/v2/lib/apple/tags/list", "", true},
		"tag":                 {fakeregistry.Match{Tag: "v1"}, "GET", "/v2/a/manifests/v1", "", true},
		"another tag":         {fakeregistry.Match{Tag: "v1"}, "GET", "/v2/a/manifests/v2", "", false},
		"digest":              {fakeregistry.Match{Digest: "sha256:" + "a"}, "GET", "/v2/a/blobs/" + hash, "", false},
		"the digest":          {fakeregistry.Match{Digest: digestText(hash)}, "HEAD", "/v2/a/blobs/" + hash, "", true},
		"method":              {fakeregistry.Match{Method: "head"}, "HEAD", "/v2/a/blobs/" + hash, "", true},
		"another method":      {fakeregistry.Match{Method: "head"}, "GET", "/v2/a/blobs/" + hash, "", false},
		"path":                {fakeregistry.Match{Path: "^/v2/[a-z]+/tags"}, "GET", "/v2/abc/tags/list", "", true},
		"another path":        {fakeregistry.Match{Path: "^/v2/[a-z]+/tags"}, "GET", "/v2/123/tags/list", "", false},
		"header":              {fakeregistry.Match{Header: "X-A"}, "GET", "/v2/", "X-A: b", true},
		"no header":           {fakeregistry.Match{Header: "x-a"}, "GET", "/v2/", "", false},
		"header value":        {fakeregistry.Match{Header: "x-a: b"}, "GET", "/v2/", "X-A: b", true},
		"header glob":         {fakeregistry.Match{Header: "user-agent: docker/*linux*"}, "GET", "/v2/", "User-Agent: docker/1.8 os/linux arch/amd64", true},
		"another header":      {fakeregistry.Match{Header: "user-agent: docker/*windows*"}, "GET", "/v2/", "User-Agent: docker/1.8 os/linux", false},
		"host without port":   {fakeregistry.Match{Host: "127.0.0.1"}, "GET", "/v2/", "", true},
		"another host":        {fakeregistry.Match{Host: "localhost"}, "GET", "/v2/", "", false},
		"media":               {fakeregistry.Match{MediaType: "schema2"}, "PUT", "/v2/a/manifests/v1", "Content-Type: application/vnd.docker.distribution.manifest.v2+json", true},
		"media with parts":    {fakeregistry.Match{MediaType: "application/json"}, "PUT", "/v2/a/manifests/v1", "Content-Type: application/json; charset=utf-8", true},
		"media of docker 1.8": {fakeregistry.Match{MediaType: "schema1"}, "PUT", "/v2/a/manifests/v1", "", true},
		"another media":       {fakeregistry.Match{MediaType: "oci"}, "PUT", "/v2/a/manifests/v1", "Content-Type: application/vnd.docker.distribution.manifest.v2+json", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fault(t, "respond", "any", "status=500")
			f.On = row.on
			s := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{f}})
			p := newPusher(t, s)
			var header []string
			if row.header != "" {
				header = []string{row.header}
			}
			if got := p.send(row.method, row.target, nil, header...).Status == 500; got != row.want {
				t.Errorf("struck %v, want %v", got, row.want)
			}
		})
	}
}

func TestFaultsOfDifferentClassesStrikeTogether(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{
		fault(t, "reset", "ping", "side=response"),
		fault(t, "delay", "ping", "by=1ms"),
		fault(t, "respond", "ping", "status=503"),
		fault(t, "close", "ping", "optional=true"),
		fault(t, "throttle", "ping", "rate=1GiB/s", "side=response"),
	}})
	if got := answers(t, s, ping); got != "x" {
		t.Errorf("the client saw %s, want a broken connection", got)
	}
	waitFor(t, "the exchange to end", func() bool { return !s.Trace()[0].Open })
	var names []string
	for _, f := range s.Fired() {
		names = append(names, f.Fault)
		if f.Done {
			t.Errorf("%s says that the registry did it, and it was never asked", f.Fault)
		}
	}
	if diff := cmp.Diff([]string{"reset", "delay", "respond"}, names); diff != "" {
		t.Errorf("what struck (-want +got):\n%s", diff)
	}
	if e := s.Trace()[0]; e.Failure != wire.FailureReset || !strings.Contains(e.Fault, "respond") {
		t.Errorf("the trace says %v %q", e.Failure, e.Fault)
	}
}

func TestChanceIsTheSeedsAndOnlyTheSeeds(t *testing.T) {
	t.Parallel()
	run := func(seed uint64, front ...fakeregistry.Fault) string {
		faults := append([]fakeregistry.Fault{fault(t, "respond", "ping", "status=500", "chance=40%")}, front...)
		s := start(t, fakeregistry.Config{Seed: seed, Faults: faults})
		return answers(t, s, repeat(ping, 40)...)
	}
	one := run(1)
	if again := run(1); again != one {
		t.Errorf("seed 1 gave\n%s and then\n%s", one, again)
	}
	if with := run(1, fault(t, "respond", "tags.list", "chance=50%", "optional=true")); with != one {
		t.Errorf("another fault moved the chance:\n%s and\n%s", one, with)
	}
	if two := run(2); two == one {
		t.Error("seeds 1 and 2 agree")
	}
	second := start(t, fakeregistry.Config{Seed: 1, Faults: []fakeregistry.Fault{
		fault(t, "respond", "tags.list", "optional=true"), fault(t, "respond", "ping", "status=500", "chance=40%"),
	}})
	if moved := answers(t, second, repeat(ping, 40)...); moved == one {
		t.Error("the first and the second fault of a list draw the same")
	}
	if n := strings.Count(one, "500"); n < 8 || n > 26 {
		t.Errorf("%d of 40 were struck at 40 %%", n)
	}
}

func TestChanceDoesNotDependOnTheOrderOfDigests(t *testing.T) {
	t.Parallel()
	blob := func(n int) string { return "HEAD /v2/lib/app/blobs/sha256:" + strings.Repeat(fmt.Sprint(n), 64) }
	run := func(order ...int) map[int]string {
		s := start(t, fakeregistry.Config{Seed: 7, Faults: []fakeregistry.Fault{fault(t, "respond", "blob.head", "status=500", "chance=50%", "optional=true")}})
		out := map[int]string{}
		for _, n := range order {
			out[n] += answers(t, s, blob(n))
		}
		return out
	}
	a := run(1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4)
	b := run(4, 4, 4, 3, 3, 3, 2, 2, 2, 1, 1, 1)
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("in order and in reverse (-one +other):\n%s", diff)
	}
}

func TestAnyOfDrawsOneThatSuits(t *testing.T) {
	t.Parallel()
	list := []fakeregistry.Fault{fault(t, "respond", "any", "status=500"), fault(t, "reset", ""), fault(t, "range-missing", "")}
	s := start(t, fakeregistry.Config{Seed: 3, Faults: []fakeregistry.Fault{{Name: "any-of", Effect: fakeregistry.AnyOf(list)}}})
	got := answers(t, s, repeat(ping, 30)...)
	if !strings.Contains(got, "500") || !strings.Contains(got, "x") {
		t.Errorf("answers are %s, want both faults among them", got)
	}
	if strings.Contains(got, "-") {
		t.Errorf("answers are %s: one was drawn that does not suit", got)
	}
	for _, f := range s.Fired() {
		if f.Fault != "respond" && f.Fault != "reset" {
			t.Errorf("%s struck a ping", f.Fault)
		}
	}
}

func TestInjectPutsFaultsInFrontAndTakesThemAway(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{fault(t, "respond", "ping", "status=500")}})
	if _, err := s.Inject([]fakeregistry.Fault{{Name: "nothing"}}); err == nil {
		t.Error("a fault without effect was taken")
	}
	remove, err := s.Inject([]fakeregistry.Fault{fault(t, "respond", "ping", "status=501")})
	if err != nil {
		t.Fatal(err)
	}
	got := answers(t, s, ping)
	remove()
	got += " " + answers(t, s, ping)
	if got != "501 500" || s.Fired()[0].Index != 1 || s.Fired()[1].Index != 0 {
		t.Errorf("answers are %s, firings %+v", got, s.Fired())
	}
}

func TestContentsTellUploadsApart(t *testing.T) {
	t.Parallel()
	one, two := content("one", 3000), content("two", 3000)
	f := fault(t, "respond", "upload.patch", "status=500")
	f.On.Digest = digestOf(two)
	s := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{f}, Contents: []fakeregistry.Content{
		{Digest: digestOf(one), Size: 3000, Head: one[:100]}, {Digest: digestOf(two), Size: 3000, Head: two[:100]},
	}})
	p := newPusher(t, s)
	for _, body := range [][]byte{one, two, content("three", 3000)} {
		p.send(http.MethodPatch, "/v2/lib/app/blobs/uploads/abc", body)
	}
	if diff := cmp.Diff([]string{"upload.patch 202", "upload.patch 500", "upload.patch 202"}, p.log); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if got := s.Trace()[0].Request.Body.Digest; got != digestOf(one) {
		t.Errorf("the body was recorded as %s, want it whole", got)
	}
}

// A probe is an effect of somebody else's.
type probe struct{ at chan time.Time }

func (p probe) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if fakeregistry.Hold(r, time.Hour) == nil {
		p.at <- time.Now()
	}
	next.ServeHTTP(w, r)
}

func (probe) Class() fakeregistry.Class { return fakeregistry.ClassBeside }

func TestAnEffectOfOnesOwnHoldsOnTheServersClock(t *testing.T) {
	t.Parallel()
	v := virtual(t)
	at := make(chan time.Time, 1)
	s := start(t, fakeregistry.Config{Clock: v, Faults: []fakeregistry.Fault{{Name: "probe", Effect: probe{at}}}})
	began := v.Now()
	if got := do(t, timed(t, v, s), http.MethodGet, s.URL()+"/v2/", nil); got.Status != 202 {
		t.Fatalf("got %d %v", got.Status, got.Err)
	}
	if d := v.Now().Sub(began); d != time.Hour || len(at) != 1 {
		t.Errorf("%v went by, want 1h", d)
	}
}

func TestPaceOnVirtualTime(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		fault, request string
		size           int
		want           time.Duration
	}{
		{"throttle upload.patch rate=30KiB/s", patchUpload, 4 << 20, 136530 * time.Millisecond},
		{"throttle upload.patch rate=30KiB/s burst=1MiB", patchUpload, 4 << 20, 102400 * time.Millisecond},
		{"throttle ping rate=1KiB/s side=response", ping, 0, 4 * time.Second},
		{"dribble ping size=1KiB gap=1s", ping, 0, 4 * time.Second},
		{"dribble upload.patch size=128KiB gap=1s side=request", patchUpload, 256 << 10, 2 * time.Second},
		{"delay ping by=3s", ping, 0, 3 * time.Second},
		{"delay ping by=3s part=body", ping, 0, 3 * time.Second},
		{"stall ping after=1KiB for=7s", ping, 0, 7 * time.Second},
		{"stall upload.patch after=1KiB for=7s", patchUpload, 4096, 7 * time.Second},
		{"commit-slow upload.patch by=60s", patchUpload, 4096, time.Minute},
		{"gateway-timeout upload.patch by=60s", patchUpload, 4096, time.Minute},
		{"accept-stall for=9s", ping, 0, 9 * time.Second},
	} {
		words := strings.Fields(row.fault)
		where := ""
		if !strings.Contains(words[1], "=") {
			where = words[1]
			words = slices.Delete(words, 1, 2)
		}
		v := virtual(t)
		s := start(t, fakeregistry.Config{Clock: v, Faults: []fakeregistry.Fault{fault(t, words[0], where, words[1:]...)}})
		p := newPusher(t, s)
		p.http = timed(t, v, s)
		method, target, _ := strings.Cut(row.request, " ")
		began := v.Now()
		var body []byte
		if row.size > 0 {
			body = make([]byte, row.size)
		}
		p.send(method, target, body)
		if took := v.Now().Sub(began).Round(10 * time.Millisecond); took != row.want || p.last.Err != nil {
			t.Errorf("%s took %v, want %v (%v)", row.fault, took, row.want, p.last.Err)
		}
	}
}

func TestDelayStraysAsDrawn(t *testing.T) {
	t.Parallel()
	for dist, limits := range map[string][2]time.Duration{
		"fixed": {time.Second, 1500 * time.Millisecond}, "uniform": {500 * time.Millisecond, 1500 * time.Millisecond}, "lognormal": {0, time.Minute},
	} {
		v := virtual(t)
		s := start(t, fakeregistry.Config{Clock: v, Faults: []fakeregistry.Fault{fault(t, "delay", "ping", "by=1s", "jitter=500ms", "dist="+dist)}})
		c := timed(t, v, s)
		seen := map[time.Duration]bool{}
		for range 10 {
			began := v.Now()
			do(t, c, http.MethodGet, s.URL()+"/v2/", nil)
			d := v.Now().Sub(began)
			if d < limits[0] || d > limits[1] {
				t.Errorf("%s: %v is outside %v", dist, d, limits)
			}
			seen[d] = true
		}
		if len(seen) < 9 {
			t.Errorf("%s: only %d different delays in 10", dist, len(seen))
		}
	}
}
