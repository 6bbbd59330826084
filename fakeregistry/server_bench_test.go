package fakeregistry_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// getOnce makes one request over a connection of its own.
func getOnce(b *testing.B, url string) {
	b.Helper()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(url)
	if err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

func minimalOnce(b *testing.B) {
	b.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
	getOnce(b, s.URL+"/v2/")
	s.Close()
}

func oursOnce(b *testing.B, c fakeregistry.Config) {
	b.Helper()
	c.Registry = fakeregistry.NewV2(fakeregistry.V2Options{})
	s, err := fakeregistry.Start(c)
	if err != nil {
		b.Fatal(err)
	}
	getOnce(b, s.URL()+"/v2/")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkStart is what a server costs that answers one GET /v2/, and how many
// times that is of the least that net/http can do: the median of pairs, taken in
// turn.
func BenchmarkStart(b *testing.B) {
	waiting := []fakeregistry.Fault{fault(b, "respond", "upload.put", "status=503")}
	for name, c := range map[string]fakeregistry.Config{"plain": {}, "with a fault": {Faults: waiting}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var ratios []float64
			for b.Loop() {
				began := time.Now()
				minimalOnce(b)
				between := time.Now()
				oursOnce(b, c)
				ratios = append(ratios, float64(time.Since(between))/float64(between.Sub(began)))
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "times-minimal")
		})
	}
}

// BenchmarkFault is what faults cost a request that they do not strike, and one
// that is struck.
func BenchmarkFault(b *testing.B) {
	for name, faults := range map[string][]fakeregistry.Fault{
		"none":     nil,
		"waiting":  {fault(b, "respond", "upload.put", "status=503")},
		"striking": {fault(b, "warning", "ping")},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			s := start(b, fakeregistry.Config{Registry: fakeregistry.NewV2(fakeregistry.V2Options{}), Faults: faults})
			c := &http.Client{Transport: &http.Transport{}}
			defer c.CloseIdleConnections()
			for b.Loop() {
				resp, err := c.Get(s.URL() + "/v2/")
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
}
