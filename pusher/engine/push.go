package engine

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushcheck/pushcheck/pusher"
)

// push answers images/{name}/push (P-010 to P-049).
func (c *call) push() error {
	e := c.engine
	platform, err := c.platform("1.46") // P-017
	if err != nil {
		return err
	}
	auth, err := readAuth(c.r.Header.Get("X-Registry-Auth"), c.r.Body)
	if err != nil {
		return err
	}
	tag := c.r.URL.Query().Get("tag")
	if c.r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" && tag == "" { // form parsing (P-011)
		tag = c.r.FormValue("tag")
	}
	c.w.Header().Set("Content-Type", "application/json")
	out := &firstByte{call: c}
	stream := pusher.NewStream(out, e.config.Era)
	ctx, cancel := e.pushContext(c.r.Context())
	defer cancel()
	_, err = e.config.Client.Push(ctx, c.name, tag, pusher.Options{
		Credentials: auth.credentials(),
		Meta:        metaHeaders(c.r.Header),
		Platform:    platform,
		Progress: func(ev pusher.Event) {
			if err := stream.Write(ev); err != nil && !e.config.Era.OutlivesCaller {
				cancel()
			}
		},
	})
	if err != nil {
		return err // shown in the stream already, unless nothing was written (P-020)
	}
	name := c.name
	if parsed, err := pusher.ParseName(c.name); err == nil {
		name = parsed.Local
	}
	e.events.add("push", name) // P-027
	return nil
}

// platform is the platform that is asked for, as JSON, by an API of that version or
// later; nil is none in particular.
func (c *call) platform(since string) (*v1.Platform, error) {
	text := c.r.URL.Query().Get("platform")
	if text == "" || versionLess(c.version, since) {
		return nil, nil //nolint:nilnil // none is asked for
	}
	var p v1.Platform
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return nil, &apiError{http.StatusBadRequest, "failed to parse platform: " + err.Error()}
	}
	if p.OS == "" || p.Architecture == "" {
		return nil, &apiError{http.StatusBadRequest, "both OS and Architecture must be provided"}
	}
	return &p, nil
}

// pushContext bounds a push: by the engine's life, and by its caller's where the
// era's pushes end with their caller (P-026).
func (e *Engine) pushContext(caller context.Context) (context.Context, context.CancelFunc) {
	if e.config.Era.OutlivesCaller {
		return context.WithCancel(e.life)
	}
	ctx, cancel := context.WithCancel(caller)
	stop := context.AfterFunc(e.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// metaHeaders are the X-Meta-* headers of a request (P-012).
func metaHeaders(h http.Header) http.Header {
	meta := http.Header{}
	for name, values := range h {
		if strings.HasPrefix(name, "X-Meta-") {
			meta[name] = values
		}
	}
	return meta
}

// A firstByte notes that the answer has begun, and sends each object at once
// (P-021).
type firstByte struct{ call *call }

// Write implements io.Writer.
func (f *firstByte) Write(p []byte) (int, error) {
	f.call.status = http.StatusOK
	n, err := f.call.w.Write(p)
	if err == nil {
		f.call.flush()
	}
	return n, err
}
