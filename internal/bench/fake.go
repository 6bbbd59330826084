package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// A starter starts a registry on loopback and returns its URL and its end.
type starter func() (url string, stop func() error, err error)

func startFake() (string, func() error, error) {
	s, err := fakeregistry.Start(fakeregistry.Config{Registry: fakeregistry.NewV2(fakeregistry.V2Options{})})
	if err != nil {
		return "", nil, err
	}
	return s.URL(), s.Close, nil
}

func startPeer() (string, func() error, error) {
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	return s.URL, func() error { s.Close(); return nil }, nil
}

// startMinimal is the least that an HTTP server in Go is.
func startMinimal() (string, func() error, error) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	return s.URL, func() error { s.Close(); return nil }, nil
}

func measureFake(ctx context.Context, t *table) error {
	p, err := pairs(200, lifecycle(ctx, startFake), lifecycle(ctx, startMinimal))
	if err != nil {
		return err
	}
	t.figure("start + GET /v2/ + stop", ms(p.ours), "minimal handler "+ms(p.peer), fmt.Sprintf("%.2f", p.ratio), "<= 1.5", p.ratio <= 1.5)

	if p, err = tinyPushes(ctx); err != nil {
		return err
	}
	t.figure("a push of 10 requests", ms(p.ours), "ggcr "+ms(p.peer), fmt.Sprintf("%.2f", p.ratio), "<= 1.3", p.ratio <= 1.3)

	blobs := makeBlobs(16, 16<<20)
	for _, at := range []int{1, 4, 16} {
		p, err := pairs(7, uploads(ctx, startFake, blobs, at), uploads(ctx, startPeer, blobs, at))
		if err != nil {
			return err
		}
		rate := func(d time.Duration) string {
			return fmt.Sprintf("%.0f MB/s", float64(len(blobs)*len(blobs[0].data))/1e6/d.Seconds())
		}
		t.figure(fmt.Sprintf("upload 16 MiB blobs, %d at once", at), rate(p.ours), "ggcr "+rate(p.peer), fmt.Sprintf("%.2f of the time", p.ratio), "<= 1.0", p.ratio <= 1)
	}
	return nil
}

// lifecycle is one start, one request, one stop.
func lifecycle(ctx context.Context, start starter) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		return timed(func() error {
			url, stop, err := start()
			if err != nil {
				return err
			}
			transport := &http.Transport{}
			if err := request(ctx, &http.Client{Transport: transport}, http.MethodGet, url+"/v2/", nil, http.StatusOK); err != nil {
				return err
			}
			transport.CloseIdleConnections()
			return stop()
		})
	}
}

// tinyPushes is three small blobs, each asked for, started and committed, and a
// manifest, into a new repository each time.
func tinyPushes(ctx context.Context) (pairing, error) {
	push := func(start starter) (func() (time.Duration, error), func() error, error) {
		url, stop, err := start()
		if err != nil {
			return nil, nil, err
		}
		client, n := &http.Client{Transport: &http.Transport{}}, 0
		return func() (time.Duration, error) {
			n++
			repository := fmt.Sprintf("%s/v2/bench/tiny%d", url, n)
			return timed(func() error { return tinyPush(ctx, client, repository, n) })
		}, stop, nil
	}
	ours, stopOurs, err := push(startFake)
	if err != nil {
		return pairing{}, err
	}
	defer func() { _ = stopOurs() }()
	peer, stopPeer, err := push(startPeer)
	if err != nil {
		return pairing{}, err
	}
	defer func() { _ = stopPeer() }()
	return pairs(1000, ours, peer)
}

func tinyPush(ctx context.Context, client *http.Client, repository string, n int) error {
	var descriptors []string
	for _, content := range []string{"config", "first layer", "second layer"} {
		content += strconv.Itoa(n) // ggcr keeps blobs once for all repositories
		b := newBlob([]byte(content))
		if err := request(ctx, client, http.MethodHead, repository+"/blobs/"+b.digest, nil, http.StatusNotFound); err != nil {
			return err
		}
		if err := upload(ctx, client, repository, b); err != nil {
			return err
		}
		descriptors = append(descriptors, fmt.Sprintf(`{"mediaType":"%%s","size":%d,"digest":"%s"}`, len(content), b.digest))
	}
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"`+mediaManifest+`","config":`+descriptors[0]+`,"layers":[`+descriptors[1]+`,`+descriptors[2]+`]}`,
		"application/vnd.oci.image.config.v1+json", mediaLayer, mediaLayer)
	return request(ctx, client, http.MethodPut, repository+"/manifests/v1", []byte(manifest), http.StatusCreated)
}

const (
	mediaManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaLayer    = "application/vnd.oci.image.layer.v1.tar"
)

// uploads sends all blobs into a new registry, so many at once.
func uploads(ctx context.Context, start starter, blobs []blob, at int) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		url, stop, err := start()
		if err != nil {
			return 0, err
		}
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: at}}
		elapsed, err := timed(func() error { return uploadAll(ctx, client, url, blobs, at) })
		client.CloseIdleConnections()
		if stopErr := stop(); err == nil {
			err = stopErr
		}
		return elapsed, err
	}
}

func uploadAll(ctx context.Context, client *http.Client, url string, blobs []blob, at int) error {
	work, errs := make(chan blob), make(chan error, at)
	var workers sync.WaitGroup
	for range at {
		workers.Go(func() {
			for b := range work {
				if err := upload(ctx, client, url+"/v2/bench/big", b); err != nil {
					errs <- err
				}
			}
		})
	}
	for _, b := range blobs {
		work <- b
	}
	close(work)
	workers.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// upload starts a session and commits it with the whole blob.
func upload(ctx context.Context, client *http.Client, repository string, b blob) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, repository+"/blobs/uploads/", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	location, err := resp.Location()
	if err != nil {
		return fmt.Errorf("POST of an upload: %s: %w", resp.Status, err)
	}
	query := location.Query()
	query.Set("digest", b.digest)
	location.RawQuery = query.Encode()
	return request(ctx, client, http.MethodPut, location.String(), b.data, http.StatusCreated)
}

func request(ctx context.Context, client *http.Client, method, url string, body []byte, want int) error {
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/octet-stream")
		if bytes.HasPrefix(body, []byte(`{"schemaVersion"`)) {
			req.Header.Set("Content-Type", mediaManifest)
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	if err != nil {
		return err
	}
	if resp.StatusCode != want {
		return fmt.Errorf("%s %s: %s, want %d: %s", method, url, resp.Status, want, text)
	}
	return nil
}

type blob struct {
	data   []byte
	digest string
}

func newBlob(data []byte) blob {
	sum := sha256.Sum256(data)
	return blob{data, "sha256:" + hex.EncodeToString(sum[:])}
}

func makeBlobs(n, size int) []blob {
	random := rand.NewChaCha8([32]byte{1})
	blobs := make([]blob, n)
	for i := range blobs {
		data := make([]byte, size)
		_, _ = random.Read(data) // never fails
		blobs[i] = newBlob(data)
	}
	return blobs
}
