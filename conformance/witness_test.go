package conformance_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/conformance"
	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
)

var full = flag.Bool("full", false, "run every check against every witness, not its group alone, and print the score")

// A witness is a registry that does one thing wrong.
type witness struct {
	id   string // the check that must notice
	wrap func(next http.Handler) http.Handler
	// also are the checks beyond those that it blocks which see the same thing.
	also   []string
	eras   []string // the whole pushes that see it, which run with -full alone
	quirks fakeregistry.Quirks
	tcp    func(t *testing.T, backend string) string // stands before the server
	slow   bool                                      // runs with -full alone
}

// A reply is an answer that a witness can change before it goes out.
type reply struct {
	*httptest.ResponseRecorder
	r     *http.Request
	route wire.Route
	sent  string // the body of a manifest's PUT
}

// set replaces the answer.
func (a *reply) set(status int, body string) {
	a.Code = status
	a.Body = bytes.NewBufferString(body)
	a.Header().Del("Content-Length")
	if body != "" {
		a.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
}

// edit changes the answers of an operation; "" is all.
func edit(change func(a *reply), ops ...wire.Op) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			route := wire.ParseRoute(r.Method, r.URL)
			if len(ops) > 0 && !slices.Contains(ops, route.Op) {
				next.ServeHTTP(w, r)
				return
			}
			a := &reply{httptest.NewRecorder(), r, route, ""}
			if route.Op == wire.OpManifestPut {
				a.sent = bodyOf(r)
			}
			next.ServeHTTP(a.ResponseRecorder, r)
			change(a)
			maps.Copy(w.Header(), a.Header())
			w.WriteHeader(a.Code)
			if r.Method != http.MethodHead {
				_, _ = w.Write(a.Body.Bytes())
			}
		})
	}
}

// ask changes the requests of an operation.
func ask(change func(r *http.Request, route wire.Route), ops ...wire.Op) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if route := wire.ParseRoute(r.Method, r.URL); slices.Contains(ops, route.Op) {
				change(r, route)
			}
			next.ServeHTTP(w, r)
		})
	}
}

// instead answers some requests itself.
func instead(when func(r *http.Request, route wire.Route) bool, status int, body string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !when(r, wire.ParseRoute(r.Method, r.URL)) {
				next.ServeHTTP(w, r)
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			if body != "" {
				w.Header().Set("Content-Type", "application/json")
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
	}
}

// status changes a status of some operations.
func status(from, to int, ops ...wire.Op) func(http.Handler) http.Handler {
	return edit(func(a *reply) {
		if a.Code == from {
			a.Code = to
		}
	}, ops...)
}

// without takes a header away.
func without(name string, ops ...wire.Op) func(http.Handler) http.Handler {
	return edit(func(a *reply) { a.Header().Del(name) }, ops...)
}

// served serves a witness on a socket.
func served(t *testing.T, w witness) string {
	t.Helper()
	registry := fakeregistry.NewV2(fakeregistry.V2Options{Delete: true, ForeignLayers: true, Quirks: w.quirks})
	var h http.Handler = registry
	if w.wrap != nil {
		h = w.wrap(h)
	}
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.Close()
		if err := registry.Close(); err != nil {
			t.Error(err)
		}
	})
	if w.tcp != nil {
		return "http://" + w.tcp(t, server.Listener.Addr().String())
	}
	return server.URL
}

// proxied serves connections before a server, one at a time a function.
func proxied(t *testing.T, serve func(c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	return l.Addr().String()
}

// readHead reads the head of a request.
func readHead(c net.Conn) (head string, in *bufio.Reader, ok bool) {
	in = bufio.NewReader(c)
	var b strings.Builder
	for !strings.HasSuffix(b.String(), "\r\n\r\n") {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", in, false
		}
		b.WriteString(line)
	}
	return b.String(), in, true
}

// pass gives what was read, and all that follows, to a server, and its answers back.
func pass(c net.Conn, in io.Reader, read, backend string) {
	out, err := net.Dial("tcp", backend)
	if err != nil {
		return
	}
	defer out.Close()
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(c, out)
		c.Close()
	})
	_, _ = io.WriteString(out, read)
	_, _ = io.Copy(out, in)
	out.Close()
	back.Wait()
}

// smuggler is a proxy that takes a request of two lengths.
func smuggler(t *testing.T, backend string) string {
	t.Helper()
	return proxied(t, func(c net.Conn) {
		head, in, ok := readHead(c)
		switch {
		case !ok:
		case strings.Count(head, "Content-Length:") > 1:
			_, _ = io.WriteString(c, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
		default:
			pass(c, in, head, backend)
		}
	})
}

// TestWitnesses plants one defect at a time: exactly its check must notice, beside
// those that it blocks and those that are named as seeing the same.
func TestWitnesses(t *testing.T) { //nolint:tparallel // its count waits for them
	t.Parallel()
	var mu sync.Mutex
	noticed, planted := 0, 0
	t.Run("each", func(t *testing.T) {
		before := map[string]int{}
		for _, w := range witnesses() {
			name := w.id + strings.Repeat("'", before[w.id])
			before[w.id]++
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if w.slow && !*full {
					return
				}
				o := conformance.Options{Seed: 7, Profile: "all", Parallel: 2}
				if !*full {
					o.Run = append([]string{w.id}, w.also...)
				}
				report := run(t, served(t, w), o)
				var got []string
				for _, v := range report.Verdicts {
					if v.Violation != nil {
						got = append(got, v.Check.ID)
					}
					if v.Word == conformance.Errored {
						t.Errorf("%s could not be seen: %s", v.Check.ID, v.Reason)
					}
				}
				want := append([]string{w.id}, w.also...)
				if *full {
					want = append(want, w.eras...)
				}
				slices.Sort(got)
				slices.Sort(want)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("noticed by (-want +got):\n%s", diff)
				}
				mu.Lock()
				defer mu.Unlock()
				planted++
				if slices.Contains(got, w.id) {
					noticed++
				}
			})
		}
	})
	t.Logf("mutation score: %d of %d planted defects noticed", noticed, planted)
	if *full {
		fmt.Printf("mutation score: %d of %d planted defects noticed\n", noticed, planted)
	}
}

// TestEveryWitness: each check that must or should be met has a witness.
func TestEveryWitness(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, w := range slices.Concat(witnesses(), authWitnesses(), rightsWitnesses()) {
		seen[w.id] = true
	}
	known := map[string]bool{}
	for _, c := range conformance.Checks() {
		known[c.ID] = true
		if c.Level != conformance.May && !seen[c.ID] {
			t.Errorf("%s has no witness", c.ID)
		}
	}
	for id := range seen {
		if !known[id] {
			t.Errorf("a witness is of %s, which is no check", id)
		}
	}
}

// bodyOf reads a request's body and puts it back.
func bodyOf(r *http.Request) string {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the line broke
	}
	r.Body = io.NopCloser(bytes.NewReader(b))
	return string(b)
}
