package pusher

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// TestV1Later: dockers since 1.11 ping V1 alone (P-162).
func TestV1Later(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		era  Era
		want []string
	}{
		{Docker110(), []string{"https://r.example/v2/", "https://r.example/v1/_ping"}},
		{Docker113(), []string{"https://r.example/v1/_ping"}},
	} {
		var asked []string
		job := &Job{Era: tt.era, Endpoint: Endpoint{URL: "https://r.example"}, Clock: clock.Real(), Transport: trip(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.URL.String())
			return reply(r, 200, "{}"), nil
		})}
		_, err := newV1Session(t.Context(), job)
		require.NoError(t, err)
		if d := cmp.Diff(tt.want, asked); d != "" {
			t.Errorf("%s: %s", tt.era.Name, d)
		}
	}
}

// TestV1LaterUnauthorized: a 401 of the index is the error that V2 has for it (P-380).
func TestV1LaterUnauthorized(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"docker-1.9": "Authentication is required.", "docker-1.12": "unauthorized: authentication required"} {
		i := slices.IndexFunc(Eras(), func(e Era) bool { return e.Name == name })
		s := &v1Session{job: &Job{Era: Eras()[i]}}
		require.EqualError(t, s.unauthorized(), want, name)
	}
}
