package engine

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// The API versions that the engine speaks: docker 1.8's oldest (P-010) and the
// newest that the docker command line asks for.
const (
	minVersion = "1.12"
	maxVersion = "1.51"
)

// A call is one request to the API and what is being answered.
type call struct {
	engine *Engine
	w      http.ResponseWriter
	r      *http.Request

	version string // of the API, as the path named it; maxVersion without one
	name    string // of the image, where the path has one
	status  int    // that was sent; 0 before the first byte
}

type handler func(*call) error

// fixed are the routes without a name in them.
func fixed() map[string]handler {
	return map[string]handler{
		"GET _ping":          (*call).ping,
		"HEAD _ping":         (*call).ping,
		"GET version":        (*call).showVersion,
		"GET info":           (*call).showInfo,
		"POST auth":          (*call).auth,
		"GET events":         (*call).streamEvents,
		"GET images/json":    (*call).listImages,
		"POST images/load":   (*call).load,
		"GET images/get":     (*call).save,
		"POST images/create": (*call).create,
	}
}

// named are the routes of one image, by method and last part of the path.
func named() map[string]handler {
	return map[string]handler{
		"GET json":    (*call).inspect,
		"GET history": (*call).history,
		"GET get":     (*call).save,
		"POST tag":    (*call).tag,
		"POST push":   (*call).push,
	}
}

// route finds who answers: P-010, with or without a version in front.
func (c *call) route() (handler, error) {
	path := strings.TrimPrefix(c.r.URL.Path, "/")
	c.version = maxVersion
	if first, rest, ok := strings.Cut(path, "/"); ok && isVersion(first) {
		c.version, path = first[1:], rest
		if err := checkVersion(c.version); err != nil {
			return nil, err
		}
	}
	if h, ok := fixed()[c.r.Method+" "+path]; ok {
		return h, nil
	}
	name, ok := strings.CutPrefix(path, "images/")
	if !ok || name == "" {
		return nil, notImplemented(c.r.Method, path)
	}
	if i := strings.LastIndexByte(name, '/'); i > 0 {
		if h, ok := named()[c.r.Method+" "+name[i+1:]]; ok {
			c.name = name[:i]
			return h, nil
		}
	}
	if c.r.Method == http.MethodDelete {
		c.name = name
		return (*call).remove, nil
	}
	return nil, notImplemented(c.r.Method, path)
}

func notImplemented(method, path string) error {
	return &apiError{http.StatusNotImplemented, fmt.Sprintf(
		"%s /%s: this engine only pushes; it answers _ping, version, info, auth, events and what images need: json, history, load, get, import, tag, delete, push", method, path)}
}

// isVersion tells "v1.24".
func isVersion(s string) bool {
	major, minor, ok := strings.Cut(strings.TrimPrefix(s, "v"), ".")
	return ok && strings.HasPrefix(s, "v") && isNumber(major) && isNumber(minor)
}

func isNumber(s string) bool {
	return s != "" && len(s) < 6 && strings.Trim(s, "0123456789") == ""
}

func checkVersion(v string) error {
	switch {
	case versionLess(v, minVersion):
		return &apiError{http.StatusBadRequest, fmt.Sprintf("client version %s is too old. Minimum supported API version is %s, please upgrade your client to a newer version", v, minVersion)}
	case versionLess(maxVersion, v):
		return &apiError{http.StatusBadRequest, fmt.Sprintf("client version %s is too new. Maximum supported API version is %s", v, maxVersion)}
	}
	return nil
}

// versionLess compares "1.9" and "1.24" by their numbers.
func versionLess(a, b string) bool {
	aMajor, aMinor := versionNumbers(a)
	bMajor, bMinor := versionNumbers(b)
	if aMajor != bMajor {
		return aMajor < bMajor
	}
	return aMinor < bMinor
}

func versionNumbers(v string) (major, minor int) {
	a, b, _ := strings.Cut(v, ".")
	major, _ = strconv.Atoi(a) //nolint:errcheck // isVersion looked
	minor, _ = strconv.Atoi(b) //nolint:errcheck // isVersion looked
	return major, minor
}
