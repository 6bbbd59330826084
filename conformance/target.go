package conformance

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/distribution/reference"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/pusher"
)

// A Target is the registry to look at.
type Target struct {
	// URL is where it answers, without /v2/: "https://registry.example:5000".
	URL string
	// Credentials go to the registry's host and to the realm that it names, and
	// nowhere else. Zero is nobody.
	Credentials pusher.Credentials
	// Transport sends the requests; nil is one without a proxy that keeps ten
	// connections. Its owner closes its connections.
	Transport http.RoundTripper
	// Prefix is the first part of every repository that is written to; "" is
	// "pushcheck".
	Prefix string
	// Other is the first part of the second repository that some checks need, such as
	// those of mounts; "" is below Prefix too.
	Other string
}

// Options say what to run and how. The zero value runs the docker-push profile.
type Options struct {
	// Checks is what there is to choose from; nil is Checks().
	Checks  []*Check
	Profile string   // one of Profiles(); "" is "docker-push"
	Run     []string // IDs, groups or patterns of path.Match to choose from the profile's, or from all when Profile is ""
	Skip    []string // of the same form
	Level   Level    // none that weighs less; 0 is all
	Seed    uint64   // makes all content; the same seed makes the same bytes
	// Parallel is how many checks run at a time; 0 is 4.
	Parallel int
	// Timeout is how long one request may take; 0 is 30 s.
	Timeout time.Duration
	// Deadline is how long the whole run may take; 0 is no limit. What could not be
	// looked at for that is an error of the run.
	Deadline time.Duration
	// Patience is how long the checks that wait do so: for an idle upload, and while
	// they send slowly. 0 is 10 s.
	Patience time.Duration
	// Prompt is how long something may take that must cost a registry nothing, such as
	// a wrong number; 0 is 2 s.
	Prompt time.Duration
	// Large is how many bytes the checks of large content send at most at a time; 0 is
	// 64 MiB. At least 64 KiB are sent.
	Large int64
	// MaxRequests is how many requests the run may send, and MaxBytes how many bytes
	// of bodies it may send and get; 0 is no limit. What could not be looked at for
	// that is an error of the run, not the registry's.
	MaxRequests, MaxBytes int64
	// Rate is how many requests the run may send in a second; 0 is no limit. One an
	// hour is the fewest.
	Rate float64
	// Known are deviations that do not count. One that is not there any more does.
	Known []KnownDeviation
	// Given is what there is in the registry for the pull-only profile, which pushes
	// nothing: a repository and a tag or digest, "team/app:v1". That profile needs it
	// and no other takes it.
	Given string
	// Keep leaves what the run pushed in the registry, so that the commands of the
	// report find it.
	Keep  bool
	Clock clock.Clock // nil is the real one
	// Progress, when not nil, is called with each verdict as it is reached, one at
	// a time.
	Progress func(Verdict)
}

func (o Options) withDefaults() Options {
	if o.Checks == nil {
		o.Checks = Checks()
	}
	if o.Parallel == 0 {
		o.Parallel = 4
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Patience == 0 {
		o.Patience = 10 * time.Second
	}
	if o.Prompt == 0 {
		o.Prompt = 2 * time.Second
	}
	if o.Large == 0 {
		o.Large = 64 << 20
	}
	o.Large = max(o.Large, 64<<10)
	if o.Clock == nil {
		o.Clock = clock.Real()
	}
	return o
}

// longestPause is that of the lowest Rate.
const longestPause = time.Hour

// manners are what the options say of them.
func (o Options) manners() *manners {
	m := &manners{clock: o.Clock, maxRequests: o.MaxRequests, maxBytes: o.MaxBytes}
	if o.Rate > 0 {
		m.pause = time.Duration(float64(time.Second) / o.Rate)
	}
	return m
}

// meant finds numbers that say nothing: below 0, and rates that are none.
//
// Errors: ErrOptions.
func (o Options) meant() error {
	for _, row := range []struct {
		name  string
		value float64
	}{
		{"Parallel", float64(o.Parallel)},
		{"Timeout", float64(o.Timeout)},
		{"Deadline", float64(o.Deadline)},
		{"Patience", float64(o.Patience)},
		{"Prompt", float64(o.Prompt)},
		{"Large", float64(o.Large)},
		{"MaxRequests", float64(o.MaxRequests)},
		{"MaxBytes", float64(o.MaxBytes)},
		{"Rate", o.Rate},
	} {
		if row.value < 0 {
			return fmt.Errorf("%w: %s is below 0", ErrOptions, row.name)
		}
	}
	if slowest := 1 / longestPause.Seconds(); math.IsNaN(o.Rate) || math.IsInf(o.Rate, 0) || o.Rate > 0 && o.Rate < slowest {
		return fmt.Errorf("%w: a rate of %v requests a second cannot be kept; the lowest is %.5f, one an hour", ErrOptions, o.Rate, slowest)
	}
	return nil
}

// ErrTarget says that a Target or Options cannot be meant.
var ErrTarget = errors.New("wrong target")

// longestOwn is how long what comes below a prefix can be.
const longestOwn = 64

// named checks that repositories can be called so.
//
// Errors: ErrTarget.
func (t Target) named() error {
	for _, first := range []string{t.Prefix, t.Other} {
		if first == "" {
			continue
		}
		name := "registry.example/" + strings.Trim(first, "/") + "/" + strings.Repeat("x", longestOwn)
		if _, err := reference.WithName(name); err != nil {
			return fmt.Errorf("%w: no repository can be called %q: lower case letters, digits, and . _ - between them, in parts with / between, and room for %d more characters", ErrTarget, first, longestOwn)
		}
	}
	return nil
}

// base checks the target and returns where it is.
func (t Target) base() (*url.URL, error) {
	if err := t.named(); err != nil {
		return nil, err
	}
	text := t.URL
	if strings.Contains(text, "@") {
		return nil, fmt.Errorf("%w: the address has credentials in it; give them apart", ErrTarget)
	}
	if !strings.Contains(text, "://") {
		return nil, fmt.Errorf("%w: %q has no scheme; write http:// or https:// before it", ErrTarget, text)
	}
	u, err := url.Parse(strings.TrimRight(strings.TrimSuffix(strings.TrimRight(text, "/"), "/v2"), "/"))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrTarget, err)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%w: %q is neither http nor https", ErrTarget, text)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%w: %q names no host", ErrTarget, text)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%w: %q is more than an address", ErrTarget, text)
	}
	return u, nil
}

func (t Target) prefix() string {
	if t.Prefix == "" {
		return "pushcheck"
	}
	return strings.Trim(t.Prefix, "/")
}
