package scenarios

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// How much a hostile registry offers at most, and how much of it may be taken:
// what is on its way when a client turns away is the kernel's.
const (
	offered = 96 << 20
	taken   = 32 << 20
)

// A hostile registry does one evil thing, and what next does otherwise.
type hostile struct {
	fakeregistry.Registry
	evil   func(h *hostile, w http.ResponseWriter, r *http.Request, op wire.Op) bool
	canary string       // the address of another host
	most   atomic.Int64 // bytes of what has no end, in the answer of which most went out
}

// ServeHTTP implements http.Handler.
func (h *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.evil(h, w, r, wire.ParseRoute(r.Method, r.URL).Op) {
		h.Registry.ServeHTTP(w, r)
	}
}

// endless writes until the client is gone. An answer to HEAD has no body to write.
func (h *hostile) endless(w http.ResponseWriter, r *http.Request, text string) {
	if r.Method == http.MethodHead {
		return
	}
	chunk := bytes.Repeat([]byte(text), 64<<10/len(text))
	sent := 0
	for sent < offered {
		n, err := w.Write(chunk)
		if sent += n; err != nil {
			break
		}
	}
	for {
		most := h.most.Load()
		if int64(sent) <= most || h.most.CompareAndSwap(most, int64(sent)) {
			return
		}
	}
}

// asks demands a kind of authentication of whoever brings none.
func asks(w http.ResponseWriter, r *http.Request, challenge string) bool {
	if r.Header.Get("Authorization") != "" || wire.ParseRoute(r.Method, r.URL).Op == wire.OpToken {
		return false
	}
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	w.Header().Set("WWW-Authenticate", challenge)
	w.WriteHeader(http.StatusUnauthorized)
	return true
}

// venom is what must reach nobody as it is.
const venom = "\x1b]0;owned\x07\x1b[31m</script><script>alert(1)</script><img src=x onerror=alert(1)>]]>"

// refusal is an error of the registry API with venom in every string.
func refusal(w http.ResponseWriter) {
	w.Header().Set("X-Venom", "<script>alert(1)</script>")
	w.WriteHeader(http.StatusForbidden)
	text := strings.NewReplacer("\x1b", `\u001b`, "\x07", `\u0007`).Replace(venom)
	fmt.Fprintf(w, `{"errors":[{"code":"DENIED%[1]s","message":%[2]q,"detail":{%[2]q:%[2]q}}]}`, "<b>", text)
}

// bomb is 256 MiB of gzip, in a few hundred kilobytes.
var bomb = sync.OnceValue(func() []byte {
	var one bytes.Buffer
	z := gzip.NewWriter(&one)
	_, _ = z.Write(make([]byte, 1<<20)) // into memory
	_ = z.Close()
	return bytes.Repeat(one.Bytes(), 256)
})

// attacks are what a hostile registry does, by name.
var attacks = []struct {
	name string
	evil func(h *hostile, w http.ResponseWriter, r *http.Request, op wire.Op) bool
}{
	{"an error without end", func(h *hostile, w http.ResponseWriter, r *http.Request, op wire.Op) bool {
		if op == wire.OpUploadStart {
			w.WriteHeader(http.StatusInternalServerError)
			h.endless(w, r, "a")
		}
		return op == wire.OpUploadStart
	}},
	{"a challenge with a body without end", func(h *hostile, w http.ResponseWriter, r *http.Request, _ wire.Op) bool {
		if asks(w, r, `Basic realm="x"`) {
			h.endless(w, r, "a")
			return true
		}
		return false
	}},
	{"a token without end", func(h *hostile, w http.ResponseWriter, r *http.Request, op wire.Op) bool {
		if op == wire.OpToken {
			_, _ = fmt.Fprint(w, `{"token":"`)
			h.endless(w, r, "a")
			return true
		}
		return asks(w, r, `Bearer realm="http://`+r.Host+`/token",service="x"`)
	}},
	{"headers without end", func(_ *hostile, w http.ResponseWriter, _ *http.Request, op wire.Op) bool {
		if op != wire.OpUploadStart {
			return false
		}
		long := strings.Repeat("a", 64<<10)
		for i := range 40 {
			w.Header().Set(fmt.Sprintf("X-%d", i), long)
		}
		w.WriteHeader(http.StatusAccepted)
		return true
	}},
	{"redirects in a circle", func(_ *hostile, w http.ResponseWriter, r *http.Request, op wire.Op) bool {
		if op == wire.OpUploadStart || op == wire.OpManifestHead || op == wire.OpBlobHead {
			w.Header().Set("Location", r.URL.RequestURI())
			w.WriteHeader(http.StatusTemporaryRedirect)
			return true
		}
		return false
	}},
	{"a realm elsewhere", func(h *hostile, w http.ResponseWriter, r *http.Request, _ wire.Op) bool {
		return asks(w, r, `Bearer realm="`+h.canary+`/token",service="x"`)
	}},
	{"a location elsewhere", func(h *hostile, w http.ResponseWriter, r *http.Request, op wire.Op) bool {
		if asks(w, r, `Basic realm="x"`) {
			return true
		}
		if op == wire.OpUploadStart {
			w.Header().Set("Location", h.canary+"/v2/team/app/blobs/uploads/1")
			w.WriteHeader(http.StatusAccepted)
		}
		return op == wire.OpUploadStart
	}},
	{"a redirect elsewhere", func(h *hostile, w http.ResponseWriter, r *http.Request, op wire.Op) bool {
		if asks(w, r, `Basic realm="x"`) {
			return true
		}
		if op == wire.OpUploadStart || op == wire.OpBlobHead || op == wire.OpManifestPut {
			w.Header().Set("Location", h.canary+r.URL.RequestURI())
			w.WriteHeader(http.StatusTemporaryRedirect)
			return true
		}
		return false
	}},
	{"a gzip bomb", func(_ *hostile, w http.ResponseWriter, _ *http.Request, op wire.Op) bool {
		if op == wire.OpUploadStart {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write(bomb()) // who turns away gets less
		}
		return op == wire.OpUploadStart
	}},
	{"venom in every string", func(_ *hostile, w http.ResponseWriter, _ *http.Request, op wire.Op) bool {
		if op == wire.OpUploadStart {
			refusal(w)
		}
		return op == wire.OpUploadStart
	}},
}

// TestHostileRegistries pushes with the eras to registries that mean harm. Each push
// ends, takes a bounded amount of what is offered, sends no secret astray but where
// its era is known to, and harms nobody who reads the reports.
func TestHostileRegistries(t *testing.T) {
	t.Parallel()
	for _, attack := range attacks {
		for _, era := range []string{"best", "docker-1.8", "docker-20.10", "containerd"} {
			t.Run(attack.name+"/"+era, func(t *testing.T) {
				t.Parallel()
				var astray atomic.Int64
				canary := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body := make([]byte, 4<<10)
					n, _ := r.Body.Read(body)
					if r.Header.Get("Authorization") != "" || strings.Contains(r.RequestURI+string(body[:n]), "s3cret-pw") {
						astray.Add(1)
					}
					w.WriteHeader(http.StatusNotFound)
				}))
				defer canary.Close()
				h := &hostile{evil: attack.evil, canary: strings.Replace(canary.URL, "127.0.0.1", "localhost", 1)} // a host is its name, not its port
				res := underAttack(t, era, h)
				if res.Outcome == report.Broken {
					t.Fatalf("it could not be told: %s", res.Because)
				}
				if got := h.most.Load(); got > taken {
					t.Errorf("%d bytes of one answer without end went out", got)
				}
				if len(res.Ending) > 4<<20 {
					t.Errorf("the error has %d bytes", len(res.Ending))
				}
				for _, e := range res.Trace {
					size := 0
					for name, values := range e.Response.Header {
						size += len(name) + len(strings.Join(values, ""))
					}
					if size > 2<<20 {
						t.Errorf("#%d: headers of %d bytes were taken", e.Seq, size)
					}
				}
				if era == "best" && astray.Load() > 0 {
					t.Errorf("%d requests took a secret to another host", astray.Load())
				}
				for _, f := range res.Failures {
					if f.Name == "invariant secrets-stay" || f.Name == "invariant quiet-end" || f.Name == "timeout" {
						t.Errorf("%s: %s", f.Name, f.Message)
					}
				}
				harmless(t, res)
			})
		}
	}
}

func underAttack(t *testing.T, era string, h *hostile) Result {
	t.Helper()
	s := &Scenario{
		Title: "A hostile registry", ID: "hostile/" + era, Client: Client{Era: era, Login: &Login{"alice", "s3cret-pw"}},
		Registries: []Registry{{Kind: KindFake}}, Image: Image{Layers: []int64{1 << 10}},
		Steps: []Step{{Push: "team/app:v1"}}, Expect: Expect{Result: ResultPushed},
	}
	r := &Runner{changes: changes{registry: func(_ int, next fakeregistry.Registry) fakeregistry.Registry {
		h.Registry = next
		return h
	}}}
	summary, err := r.Run(t.Context(), []*Scenario{s})
	if err != nil {
		t.Fatal(err)
	}
	return summary.Results[0]
}

// harmless holds that no report of a result does anything to who reads it.
func harmless(t *testing.T, res Result) {
	t.Helper()
	var text, junit, lines bytes.Buffer
	sinks := map[string]report.Sink{
		"text": report.NewText(&text, report.TextOptions{Trace: true, Verbose: 2}), "junit": report.NewJUnit(&junit), "json": report.NewJSON(&lines),
	}
	for name, sink := range sinks {
		sink.Result(res)
		if err := sink.Summary(report.Summary{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, out := range map[string]string{"text": text.String(), "junit": junit.String(), "json": lines.String()} {
		if i := strings.IndexAny(out, "\x1b\x07"); i >= 0 {
			t.Errorf("the %s report has a control character: %q", name, out[max(i-20, 0):min(i+20, len(out))])
		}
		if strings.Contains(out, "s3cret-pw") {
			t.Errorf("the %s report has the password", name)
		}
	}
	for _, evil := range []string{"<script>alert", "<img src=x"} {
		if strings.Contains(junit.String(), evil) {
			t.Errorf("the junit report has %s", evil)
		}
	}
}
