package fakeregistry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A pusher is a small client that pushes as docker does, and notes the answers.
type pusher struct {
	t     testing.TB
	http  *http.Client
	base  string
	token string   // sent as Authorization
	log   []string // "upload.patch 202"
	last  outcome
}

func newPusher(t testing.TB, s *fakeregistry.Server) *pusher {
	t.Helper()
	return &pusher{t: t, http: client(t, s), base: s.URL()}
}

// send makes one request and notes it; the answer's status is 0 when there is none.
func (p *pusher) send(method, target string, body []byte, header ...string) outcome {
	p.t.Helper()
	if !strings.Contains(target, "://") {
		target = p.base + target
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	var r io.Reader
	if body != nil {
		r = struct{ io.Reader }{bytes.NewReader(body)} // chunked, as docker's PATCH is
	}
	req, err := http.NewRequestWithContext(ctx, method, target, r)
	if err != nil {
		p.t.Fatal(err)
	}
	if p.token != "" {
		req.Header.Set("Authorization", p.token)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	got := outcome{}
	if resp, err := p.http.Do(req); err != nil {
		got.Err = err
	} else {
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		got = outcome{Status: resp.StatusCode, Body: string(b), Header: resp.Header, Err: err}
	}
	p.log = append(p.log, fmt.Sprintf("%s %d", wire.ParseRoute(method, req.URL).Op, got.Status))
	p.last = got
	return got
}

// location resolves the Location of an answer.
func (p *pusher) location(of outcome) *url.URL {
	p.t.Helper()
	base, err := url.Parse(p.base)
	if err != nil {
		p.t.Fatal(err)
	}
	u, err := base.Parse(of.Header.Get("Location"))
	if err != nil {
		p.t.Fatal(err)
	}
	return u
}

// blob pushes a blob to lib/app, and reports whether it was taken.
func (p *pusher) blob(content []byte) bool {
	p.t.Helper()
	started := p.send(http.MethodPost, "/v2/lib/app/blobs/uploads/", nil)
	if started.Status != http.StatusAccepted {
		return false
	}
	patched := p.send(http.MethodPatch, p.location(started).String(), content)
	if patched.Status != http.StatusAccepted {
		return false
	}
	u := p.location(patched)
	q := u.Query()
	q.Set("digest", digest.FromBytes(content).String())
	u.RawQuery = q.Encode()
	return p.send(http.MethodPut, u.String(), nil).Status == http.StatusCreated
}

// manifest pushes an OCI manifest of one layer, which is its config too.
func (p *pusher) manifest(tag string, layer []byte) bool {
	p.t.Helper()
	d := map[string]any{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest.FromBytes(layer), "size": len(layer)}
	c := map[string]any{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest.FromBytes(layer), "size": len(layer)}
	body, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": c, "layers": []any{d},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return p.send(http.MethodPut, "/v2/lib/app/manifests/"+tag, body, "Content-Type: application/vnd.oci.image.manifest.v1+json").Status == http.StatusCreated
}

// content makes bytes that differ by name from their first one on.
func content(name string, size int) []byte {
	b := bytes.Repeat([]byte(name+"."), size/(len(name)+1)+1)
	return b[:size]
}

func digestOf(b []byte) digest.Digest { return digest.FromBytes(b) }

// virtual is a clock whose only worker is the test; the links of the server's
// clients are counted as soon as they are dialled.
func virtual(t testing.TB) *clock.Virtual {
	t.Helper()
	v := clock.NewVirtual(time.Time{})
	t.Cleanup(v.Work())
	return v
}

// timed makes a client whose requests keep the accounts of a virtual clock.
func timed(t testing.TB, v *clock.Virtual, s *fakeregistry.Server) *http.Client {
	t.Helper()
	rec := wire.NewRecorder(v, nil)
	tr := &http.Transport{DisableKeepAlives: true, DialContext: rec.Dial(s.Dial)}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: rec.Transport(tr)}
}

func digestText(s string) digest.Digest { return digest.Digest(s) }
