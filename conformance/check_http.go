package conformance

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
)

func httpChecks() list { return list{http01, http06, http08, http09} }

var http01 = &Check{
	ID: "http-01", Level: May, Pull: true, Silent: true, Spec: "HTTP/1.1", Requires: list{ping01},
	Doc:   "a connection carries more than one request",
	Hurts: "every client: a push of many layers opens a connection for each request",
	Run: func(ctx context.Context, p *Probe) error {
		for range 5 {
			a, err := p.get(ctx, "/v2/")
			if err != nil {
				return err
			}
			if strings.EqualFold(a.header.Get("Connection"), "close") {
				return a.violation("a connection that stays open", "Connection: close")
			}
		}
		return nil
	},
}

var http06 = &Check{
	ID: "http-06", Level: Must, Pull: true, Silent: true, Spec: "HTTP content coding", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "blobs and manifests have no Content-Encoding when none was asked for",
	Hurts: "every client: Quay's gzip broke lengths and digests",
	Run: func(ctx context.Context, p *Probe) error {
		_, reference, b, err := p.tagged(ctx)
		if err != nil {
			return err
		}
		for _, path := range []string{manifestPath(p.Repository, reference), blobPath(p.Repository, b.digest)} {
			a, err := p.get(ctx, path, "Accept", acceptAll, "Accept-Encoding", "identity")
			if err != nil {
				return err
			}
			if e := a.header.Get("Content-Encoding"); e != "" && e != "identity" {
				return a.violation("no Content-Encoding", e)
			}
			if err := p.coded(ctx, path, a.body); err != nil {
				return err
			}
		}
		if p.given != nil {
			return nil
		}
		packed := gzipped(b.data)
		if err := p.push(ctx, p.Repository, packed); err != nil {
			return err
		}
		a, err := p.get(ctx, blobPath(p.Repository, packed.digest), "Accept-Encoding", "identity")
		if err = first(err, a.wantIf(err, http.StatusOK), a.bytes(packed.data)); err != nil {
			return err
		}
		if e := a.header.Get("Content-Encoding"); e != "" && e != "identity" {
			return a.violation("no Content-Encoding of a blob that is a gzip itself", e)
		}
		return p.coded(ctx, blobPath(p.Repository, packed.digest), packed.data)
	},
}

// gzipped is a blob in a gzip.
func gzipped(data []byte) blob {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data) // a bytes.Buffer takes all
	_ = w.Close()
	return blob{digestOf(b.Bytes()), b.Bytes()}
}

// coded demands that what is given in a gzip, to one who takes that, unpacks to what it
// is.
func (p *Probe) coded(ctx context.Context, path string, want []byte) error {
	a, err := p.get(ctx, path, "Accept", acceptAll, "Accept-Encoding", "gzip")
	if err != nil || a.status != http.StatusOK || a.header.Get("Content-Encoding") != "gzip" {
		return err
	}
	in, err := gzip.NewReader(bytes.NewReader(a.body))
	if err != nil {
		return a.violation("a gzip, as Content-Encoding says", excerpt(a.body))
	}
	got, err := io.ReadAll(io.LimitReader(in, bodyLimit))
	if err != nil || !bytes.Equal(got, want) {
		return a.violation("a gzip of "+count(len(want), "byte"), "one of other "+count(len(got), "byte"))
	}
	return nil
}

var http08 = &Check{
	ID: "http-08", Level: Should, Silent: true, Spec: "practice of clients", Requires: list{mono01},
	Doc:   "docker, containerd, skopeo and one who says nothing get the same answers",
	Hurts: "clients that a registry does not know: Nexus refuses their POST",
	Run: func(ctx context.Context, p *Probe) error {
		for _, agent := range []string{"docker/28.0.0 go/go1.23 os/linux arch/amd64", "containerd/2.0.0", "skopeo/1.9.3", ""} {
			a, err := p.send(ctx, request{method: http.MethodPost, url: uploadsPath(p.Repository), body: []byte{}, header: header("User-Agent", agent)})
			if err = first(err, a.wantIf(err, http.StatusAccepted)); err != nil {
				return err
			}
		}
		return nil
	},
}

var http09 = &Check{
	ID: "http-09", Level: Should, Pull: true, Silent: true, Spec: "HTTP semantics", Requires: list{ping01},
	Doc:   "answers have a Date",
	Hurts: "caches and clients that reckon a token's end by it",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.get(ctx, "/v2/")
		if err != nil {
			return err
		}
		if a.header.Get("Date") == "" {
			return a.violation("a Date header", "none")
		}
		return nil
	},
}
