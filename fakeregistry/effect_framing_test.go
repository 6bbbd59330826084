package fakeregistry_test

import (
	"bufio"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
)

func TestWhatProxiesDo(t *testing.T) {
	t.Parallel()
	told := handler(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, _ = io.WriteString(w, "hello")
	})
	checkAll(t, []effectRow{
		{fault: "long-body", request: ping, status: 202, text: "xxx", done: true},
		{fault: "long-body by=100", request: ping, registry: told, status: 200, text: "hello", header: []string{"Content-Length: 5"}, done: true},
		{fault: "long-body", request: headBlob, status: 202, done: true},
		{fault: "http10", request: ping, status: 202, text: "xxx", done: true},
		{fault: "http10", request: ping, registry: told, status: 200, text: "hello", header: []string{"Content-Length: 5"}, done: true},
		{fault: "http10 upload.patch", request: patchUpload, body: 1 << 20, status: 202, header: []string{"Range: 0-1048575"}, done: true},
		{fault: "http10", request: headBlob, status: 202, done: true},
		{fault: "gzip-response ping", request: ping, status: 202, text: "xxx", done: true}, // net/http undoes what it asked for
		{fault: "gzip-response blob.head", request: headBlob, status: 202, silent: true},
		{fault: "continue-never", request: patchUpload, body: 10, status: 202, silent: true},
	})
}

// spoken is what comes back over one connection for what is sent.
func spoken(t *testing.T, s *fakeregistry.Server, sent string) (net.Conn, *bufio.Reader) {
	t.Helper()
	nc, err := net.Dial("tcp", s.Host())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(nc, sent); err != nil {
		t.Fatal(err)
	}
	return nc, bufio.NewReader(nc)
}

func TestLongBodyShiftsTheNextAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{fault(t, "long-body", "ping", "nth=1", "by=3B")}})
	const ask = "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
	nc, in := spoken(t, s, ask)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); err != nil || len(body) != 4096 {
		t.Errorf("the first body is %d bytes, %v", len(body), err)
	}
	_ = resp.Body.Close()
	if _, err := io.WriteString(nc, ask); err != nil {
		t.Fatal(err)
	}
	line, err := in.ReadString('\n')
	if err != nil || line != "xxxHTTP/1.1 202 Accepted\r\n" {
		t.Errorf("the next answer begins %q, %v", line, err)
	}
}

func TestContinueNever(t *testing.T) {
	t.Parallel()
	const head = "PATCH /v2/lib/app/blobs/uploads/abc HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
	for answer, want := range map[string]string{"none": "202 Accepted", "417": "417 Expectation Failed"} {
		s := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{fault(t, "continue-never", "", "answer="+answer, "times=1")}})
		nc, in := spoken(t, s, head)
		if answer == "none" {
			waitFor(t, "the request to be read", func() bool { return len(s.Fired()) == 1 })
			if _, err := io.WriteString(nc, "hello"); err != nil {
				t.Fatal(err)
			}
		}
		line, err := in.ReadString('\n')
		if err != nil || line != "HTTP/1.1 "+want+"\r\n" || len(s.Fired()) != 1 || s.Fired()[0].Done != (answer == "none") {
			t.Errorf("%s: the answer begins %q, %v; fired %+v", answer, line, err, s.Fired())
		}
		nc, in = spoken(t, s, head) // the fault is spent
		if line, err := in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
			t.Errorf("%s: without the fault %q, %v", answer, line, err)
		}
		_ = nc.Close()
	}
}

func TestHTTP10IsWhatIsOnTheWire(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{fault(t, "http10", ""), fault(t, "respond", "tags.list", "status=404", "after-event=ping@202")}})
	nc, in := spoken(t, s, "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
	all, err := io.ReadAll(in)
	if err != nil || !strings.HasPrefix(string(all), "HTTP/1.0 202 Accepted\r\n") || !strings.HasSuffix(string(all), strings.Repeat("x", 4096)) {
		t.Errorf("the answer is %.60q…, %v", all, err)
	}
	_ = nc.Close()
	_, in = spoken(t, s, "GET /v2/a/tags/list HTTP/1.1\r\nHost: x\r\n\r\n")
	if line, err := in.ReadString('\n'); err != nil || line != "HTTP/1.0 404 Not Found\r\n" {
		t.Errorf("what waits for the answer gave %q, %v", line, err)
	}
	waitFor(t, "the exchange to end", func() bool { return !s.Trace()[0].Open })
	if e := s.Trace()[0]; e.Response.Status != 202 || e.Failure != wire.FailureNone {
		t.Errorf("the trace has %d %s", e.Response.Status, e.Failure)
	}
}

func TestGzipComesUnasked(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{fault(t, "gzip-response", "ping")}})
	_, in := spoken(t, s, "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	z, err := gzip.NewReader(resp.Body)
	if err != nil || resp.Header.Get("Content-Encoding") != "gzip" || resp.ContentLength == 4096 {
		t.Fatalf("%v, %v", resp.Header, err)
	}
	if b, err := io.ReadAll(z); err != nil || len(b) != 4096 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}
