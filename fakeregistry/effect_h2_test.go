package fakeregistry_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// speaksH2 makes a client that keeps its connections and knows HTTP/2.
func speaksH2(t *testing.T, s *fakeregistry.Server) *http.Client {
	t.Helper()
	c := client(t, s)
	tr := c.Transport.(*http.Transport)
	tr.ForceAttemptHTTP2, tr.DisableKeepAlives = true, false
	return c
}

func TestHTTP2FaultsAsTheClientSeesThem(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		fault string
		want  string // of the error; "" is an answer
	}{
		{"h2-reset", "stream error: stream ID 1; INTERNAL_ERROR"},
		{"h2-reset code=CANCEL", "stream error: stream ID 1; CANCEL"},
		{"h2-reset after=64KiB", "stream error: stream ID 1; INTERNAL_ERROR"},
		{"h2-reset after=64KiB code=ENHANCE_YOUR_CALM", "stream error: stream ID 1; ENHANCE_YOUR_CALM"},
		{"h2-reset after=64KiB code=REFUSED_STREAM", "cannot retry err"},
		{"h2-reset after=8MiB", ""},
		{"h2-goaway", "server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR"},
		{"h2-goaway after=64KiB code=ENHANCE_YOUR_CALM", "server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=ENHANCE_YOUR_CALM"},
		{"h2-goaway after=8MiB", ""},
	} {
		t.Run(row.fault, func(t *testing.T) {
			t.Parallel()
			words := strings.Fields(row.fault)
			s := start(t, fakeregistry.Config{TLS: true, Faults: []fakeregistry.Fault{fault(t, words[0], "upload.patch", words[1:]...)}})
			c := speaksH2(t, s)
			url := s.URL() + "/v2/lib/app/blobs/uploads/abc"
			body := struct{ *bytes.Reader }{bytes.NewReader(make([]byte, 1<<20))}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, url, body)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := c.Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			switch {
			case row.want == "" && (err != nil || resp.StatusCode != 202 || resp.ProtoMajor != 2 || len(s.Fired()) != 0):
				t.Errorf("%v, fired %+v; want an answer over HTTP/2", err, s.Fired())
			case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
				t.Errorf("error %v, want %s", err, row.want)
			}
			if got := do(t, c, http.MethodGet, s.URL()+"/v2/", nil); got.Status != 202 {
				t.Errorf("after that: %d %v", got.Status, got.Err)
			}
			if row.want == "" {
				return
			}
			waitFor(t, "the exchange to end", func() bool { return !s.Trace()[0].Open })
			if f := s.Fired(); len(f) != 1 || f[0].Done || s.Trace()[0].Fault != words[0] {
				t.Errorf("fired %+v", f)
			}
		})
	}
}

func TestHTTP2IsOfferedForItsFaultsOnly(t *testing.T) {
	t.Parallel()
	for name, major := range map[string]int{"h2-reset": 2, "reset": 1} {
		s := start(t, fakeregistry.Config{TLS: true, Faults: []fakeregistry.Fault{fault(t, name, "upload.put")}})
		for _, c := range []*http.Client{speaksH2(t, s), client(t, s)} {
			resp, err := c.Get(s.URL() + "/v2/")
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if knows := c.Transport.(*http.Transport).ForceAttemptHTTP2; knows && resp.ProtoMajor != major || !knows && resp.ProtoMajor != 1 {
				t.Errorf("%s: HTTP/%d", name, resp.ProtoMajor)
			}
		}
	}
	s := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{fault(t, "h2-goaway", "")}})
	if got := do(t, client(t, s), http.MethodGet, s.URL()+"/v2/", nil); got.Status != 202 || len(s.Fired()) != 0 {
		t.Errorf("over HTTP/1.1: %d %v, fired %+v", got.Status, got.Err, s.Fired())
	}
}

func TestOtherFaultsOverHTTP2(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{TLS: true, Registry: fakeregistry.NewV2(fakeregistry.V2Options{}), Faults: []fakeregistry.Fault{
		fault(t, "tls-alpn", ""), fault(t, "reset", "tags.list"), fault(t, "close", "referrers", "side=response"),
		fault(t, "long-body", "manifest.get", "optional=true"), fault(t, "http10", "manifest.get", "optional=true"),
	}})
	c := speaksH2(t, s)
	p := newPusher(t, s)
	p.http = c
	layer := content("layer", 200_000)
	if !p.blob(layer) || !p.manifest("v1", layer) {
		t.Fatalf("%v %s", p.log, p.last.Body)
	}
	for _, path := range []string{"tags/list", "referrers/" + digestOf(layer).String()} {
		if got := p.send(http.MethodGet, "/v2/lib/app/"+path, nil); got.Err == nil {
			t.Errorf("%s got %d", path, got.Status)
		}
	}
	if got := p.send(http.MethodGet, "/v2/lib/app/manifests/v1", nil, "Accept: application/vnd.oci.image.manifest.v1+json"); got.Status != 200 || len(s.Idle()) != 0 {
		t.Errorf("after that: %d %v; idle %v", got.Status, got.Err, s.Idle())
	}
}
