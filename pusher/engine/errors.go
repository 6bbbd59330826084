package engine

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// An apiError is an answer other than success, before the first byte.
type apiError struct {
	status  int
	message string
}

func (e *apiError) Error() string { return e.message }

// statusOf maps an error to a status: its own, the store's, or docker 1.8's
// search for words (P-023), in the order in which that list stands in later
// dockers, since 1.8's own is random.
func statusOf(err error) int {
	var own *apiError
	switch {
	case errors.As(err, &own):
		return own.status
	case errors.As(err, new(*pusher.PlatformError)), errors.Is(err, image.ErrNoPlatform):
		return http.StatusNotFound
	case errors.Is(err, image.ErrNoLayer), errors.Is(err, image.ErrNoRepository), errors.Is(err, image.ErrNoTag):
		return http.StatusNotFound
	case errors.Is(err, image.ErrInUse):
		return http.StatusConflict
	case errors.Is(err, pusher.ErrUnauthorized): // as dockers since 1.11 say it (P-024)
		return http.StatusUnauthorized
	}
	text := strings.ToLower(err.Error())
	for _, m := range []struct {
		words  string
		status int
	}{
		{"not found", http.StatusNotFound},
		{"no such", http.StatusNotFound},
		{"bad parameter", http.StatusBadRequest},
		{"conflict", http.StatusConflict},
		{"impossible", http.StatusNotAcceptable},
		{"wrong login/password", http.StatusUnauthorized},
		{"hasn't been activated", http.StatusForbidden},
	} {
		if strings.Contains(text, m.words) {
			return m.status
		}
	}
	return http.StatusInternalServerError
}

// fail answers with an error, unless something was answered already. API
// versions after 1.23 get a JSON body, older ones text (P-024).
func (c *call) fail(err error) {
	if c.status != 0 {
		return
	}
	c.status = statusOf(err)
	if !versionLess("1.23", c.version) {
		http.Error(c.w, err.Error(), c.status)
		return
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(c.status)
	_ = json.NewEncoder(c.w).Encode(map[string]string{"message": err.Error()}) //nolint:errcheck // the caller is gone
}

// reply answers with a value as JSON.
func (c *call) reply(v any) error {
	c.w.Header().Set("Content-Type", "application/json")
	c.status = http.StatusOK
	c.w.WriteHeader(c.status)
	return json.NewEncoder(c.w).Encode(v)
}

// drain reads what is left of a request's body, so that the connection can be
// used again.
func (c *call) drain() { _, _ = io.CopyN(io.Discard, c.r.Body, 64<<10) } //nolint:errcheck // a courtesy

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
