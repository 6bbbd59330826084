package engine_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// Credentials are tried at the registry they are for.
func TestLogin(t *testing.T) {
	t.Parallel()
	users := fakeregistry.Passwords(map[string]string{"alice": "hunter2"})
	basic := registry(t, fakeregistry.Config{Guard: &fakeregistry.Basic{Users: users}})
	bearer := registry(t, fakeregistry.Config{Guard: &fakeregistry.Bearer{Users: users}})
	open := registry(t, fakeregistry.Config{})
	odd := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
			w.Header().Set("Www-Authenticate", `Basic realm="r"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(odd.Close)
	b := start(t, nil)
	for _, row := range []struct {
		name, server, user, password string
		status                       int
		want                         string
	}{
		{"basic", basic.Host(), "alice", "hunter2", 200, `"Status":"Login Succeeded"`},
		{"basic, an URL", "http://" + basic.Host() + "/v1/", "alice", "hunter2", 200, `"Status":"Login Succeeded"`},
		{"basic, wrong", basic.Host(), "alice", "wr0ng", 401, "unauthorized: incorrect username or password"},
		{"basic, nobody", basic.Host(), "bob", "hunter2", 401, "unauthorized: incorrect username or password"},
		{"bearer", bearer.Host(), "alice", "hunter2", 200, `"Status":"Login Succeeded"`},
		{"bearer, wrong", bearer.Host(), "alice", "wr0ng", 401, "unauthorized: incorrect username or password"},
		{"nobody asks", open.Host(), "alice", "wr0ng", 200, `"Status":"Login Succeeded"`},
		{"nobody there", "127.0.0.1:1", "alice", "hunter2", 500, "connection refused"},
		{"another answer", strings.TrimPrefix(odd.URL, "http://"), "alice", "hunter2", 500, "failed with status: 418 I'm a teapot"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			body, err := json.Marshal(map[string]string{"username": row.user, "password": row.password, "serveraddress": row.server})
			require.NoError(t, err)
			a := b.do("POST", "/auth", strings.NewReader(string(body)))
			assert.Equal(t, row.status, a.status, a.body)
			assert.Contains(t, a.body, row.want)
			assert.NotContains(t, a.body, row.password)
		})
	}
}
