package fakeregistry

import (
	"errors"
	"net/http"
	"strings"
)

// Both serves a V2 and a V1 registry on one host: paths below /v1/, and /_ping,
// are V1's. Its Storage is v2's; give both the same one for faults to strike in
// either. Close closes both.
func Both(v2, v1 Registry) Registry { return &both{v2: v2, v1: v1} }

type both struct{ v2, v1 Registry }

func (b *both) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p := r.URL.Path; strings.HasPrefix(p, "/v1/") || p == "/v1" || p == "/_ping" {
		b.v1.ServeHTTP(w, r)
		return
	}
	b.v2.ServeHTTP(w, r)
}

func (b *both) Storage() *Storage { return b.v2.Storage() }

func (b *both) Close() error { return errors.Join(b.v1.Close(), b.v2.Close()) }
