package engine_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Every route, with and without a version, and what is none.
func TestRoutes(t *testing.T) {
	t.Parallel()
	b := loaded(t)
	for _, row := range []struct {
		method, path string
		status       int
		body         string // a part of it
	}{
		{"GET", "/_ping", 200, "OK"},
		{"HEAD", "/_ping", 200, ""},
		{"GET", "/v1.50/_ping", 200, "OK"},
		{"GET", "/version", 200, `"ApiVersion":"1.51"`},
		{"GET", "/v1.20/version", 200, `"Version":"1.8.3"`},
		{"GET", "/v1.12/info", 200, `"InsecureRegistryCIDRs":["127.0.0.0/8","10.0.0.0/8"]`},
		{"GET", "/info", 200, `"registry.example:5000":{"Mirrors":[],"Name":"registry.example:5000","Official":false,"Secure":false}`},
		{"GET", "/images/json", 200, `"RepoTags":["lib/app:latest"]`},
		{"GET", "/v1.24/images/lib/app/json", 200, `"Id":"` + id("a4") + `"`},
		{"GET", "/images/lib/app:two/history", 200, `"Id":"` + id("d3") + `"`},
		{"GET", "/images/lib/app/get", 200, "repositories"},
		{"GET", "/images/get?names=lib/app:two", 200, "repositories"},
		{"POST", "/images/lib/app/tag?repo=other&tag=x", 201, ""},
		{"DELETE", "/images/other:x", 200, `[{"Untagged":"other:x"}]`},
		{"GET", "/events?until=1", 200, ""},

		{"GET", "/containers/json", 501, "GET /containers/json: this engine only pushes"},
		{"POST", "/build", 501, "this engine only pushes"},
		{"PUT", "/images/lib/app/json", 501, "this engine only pushes"},
		{"GET", "/images/", 501, "this engine only pushes"},
		{"GET", "/", 501, "this engine only pushes"},
		{"POST", "/images/create?fromImage=busybox", 501, "docker import"},
		{"DELETE", "/images/lib/app?noprune=1", 501, "noprune"},
		{"GET", "/v1.11/_ping", 400, "client version 1.11 is too old. Minimum supported API version is 1.12"},
		{"GET", "/v1.99/_ping", 400, "client version 1.99 is too new. Maximum supported API version is 1.51"},
		{"GET", "/v2.0/_ping", 400, "too new"},
		{"GET", "/v1.x/_ping", 501, "this engine only pushes"},

		{"GET", "/images/nobody/json", 404, "No such image: nobody"},
		{"GET", "/images/nobody/history", 404, "No such image: nobody"},
		{"GET", "/images/lib/app:nine/get", 404, "No such image: lib/app:nine"},
		{"GET", "/images/get", 400, "names: want at least one image"},
		{"POST", "/images/nobody/tag?repo=x", 404, "No such image: nobody"},
		{"POST", "/images/lib/app/tag?repo=UPPER", 400, "repository name component must match"},
		{"POST", "/images/lib/app/tag?repo=x&tag=-bad", 400, `invalid tag \"-bad\"`},
		{"DELETE", "/images/nobody", 404, "No such image: nobody"},
		{"GET", "/images/json?filters=x", 400, "filters is neither"},
		{"GET", "/events?since=x", 400, `\"x\" is not a time`},
		{"GET", "/events?until=1.x", 400, "is not a time"},
		{"POST", "/auth", 400, "the body is not an object with username, password and serveraddress"},
		{"POST", "/images/load", 500, "it is empty"},
	} {
		a := b.do(row.method, row.path, strings.NewReader(""))
		assert.Equal(t, row.status, a.status, "%s %s: %s", row.method, row.path, a.body)
		assert.Contains(t, a.body, row.body, "%s %s", row.method, row.path)
		assert.Equal(t, "Docker/1.8.3 (linux)", a.header.Get("Server"))
	}
	ping := b.do(http.MethodHead, "/_ping", nil)
	assert.Equal(t, "1.51", ping.header.Get("Api-Version"))
	assert.Equal(t, "linux", ping.header.Get("Ostype"))
}

// Errors are text up to API 1.23 and an object after it (P-024).
func TestErrorForm(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	for path, want := range map[string][2]string{
		"/v1.20/images/x/json": {"text/plain; charset=utf-8", "No such image: x\n"},
		"/v1.23/images/x/json": {"text/plain; charset=utf-8", "No such image: x\n"},
		"/v1.24/images/x/json": {"application/json", `{"message":"No such image: x"}` + "\n"},
		"/images/x/json":       {"application/json", `{"message":"No such image: x"}` + "\n"},
	} {
		a := b.do(http.MethodGet, path, nil)
		assert.Equal(t, 404, a.status)
		assert.Equal(t, want, [2]string{a.header.Get("Content-Type"), a.body}, path)
	}
}

// After Close nobody is left who would answer.
func TestClosed(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	b.engine.Close()
	b.engine.Close()
	assert.Equal(t, http.StatusServiceUnavailable, b.do(http.MethodGet, "/_ping", nil).status)
}
