// Package conformance is a list of checks against the push side of any registry,
// and the run that tells which of them it does not meet.
//
//	report, err := conformance.Run(ctx, conformance.Target{URL: "http://127.0.0.1:5000"}, conformance.Options{})
//
// A Check is a value. Each works in a repository of its own, with content of its
// own, and cleans up as far as the registry lets it: any of them can run alone,
// again, in any order and beside the others. "The registry is wrong" and "this
// could not be seen" never share a path.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// A Level says how much a requirement weighs.
type Level int

// The levels. What breaks a Must is a fail, a Should a warn, a May a note.
const (
	Must Level = iota + 1
	Should
	May
)

// String is the level's word: "MUST".
func (l Level) String() string {
	switch l {
	case Must:
		return "MUST"
	case Should:
		return "SHOULD"
	default:
		return "MAY"
	}
}

// A Check is one requirement on a registry: a value, safe to run many times,
// alone, in any order, in its own repository. It is not changed after it was made.
type Check struct {
	ID    string // "chunk-03"; stable
	Level Level
	// Silent says that the specification does not speak of it: the level is what
	// clients show that they need.
	Silent bool
	Spec   string // the clause, with which Link finds its text; see Clauses
	Doc    string // the sentence that is true of a registry that passes
	Hurts  string // which clients break on a registry that does not, and how
	// Requires are the checks without which this one can tell nothing. When one of
	// them did not pass, this one is blocked by it.
	Requires []*Check
	// Uses are the checks of what its set-up does. When the set-up fails and so did
	// one of them, this one is blocked by it.
	Uses []*Check
	// Alone says that nothing else of the run goes on beside it: it measures.
	Alone bool
	// Timed says that its verdict hangs on how long something took. What it does not
	// find met is looked at again with nothing else beside, and that counts.
	Timed bool
	// Pull says that it pushes nothing of its own, where there is an image to look at.
	Pull bool
	// Run looks. It returns nil when the requirement is met, a *Violation when it is
	// not, a *SkipError when the registry lawfully lacks what is looked at, and any
	// other error when it could not tell.
	Run func(ctx context.Context, p *Probe) error
}

// Group is the first part of the ID: "chunk".
func (c *Check) Group() string {
	group, _, _ := strings.Cut(c.ID, "-")
	return group
}

// Link is the address of the clause's text.
func (c *Check) Link() string { return clauseLinks()[c.Spec] }

// A Violation says how a registry does not meet a requirement.
type Violation struct {
	Want, Got string
	// Exchange is the one that shows it; nil when it is not a single one.
	Exchange *wire.Exchange
	Curl     string // commands for a shell that show it; "" when curl cannot
}

// Error implements error.
func (v *Violation) Error() string { return fmt.Sprintf("want %s, got %s", v.Want, v.Got) }

// A SkipError says that a registry lawfully lacks what a check looks at.
type SkipError struct {
	Reason string
	// FellBack says that the registry did what the specification offers instead,
	// such as an upload session in place of a mount.
	FellBack bool
}

// Error implements error.
func (s *SkipError) Error() string { return s.Reason }

// A setupError is a violation met while a check made what it needs. It is the
// business of another check.
type setupError struct {
	of    string
	cause error
}

func (e *setupError) Error() string { return e.of + ": " + e.cause.Error() }

func (e *setupError) Unwrap() error { return e.cause }

// clauseLinks are the addresses of the clauses that checks name.
func clauseLinks() map[string]string {
	const oci = "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#"
	const rfc = "https://www.rfc-editor.org/rfc/"
	const docker = "https://distribution.github.io/distribution/spec/"
	return map[string]string{
		"endpoints":            oci + "endpoints",
		"pulling blobs":        oci + "pulling-blobs",
		"pulling manifests":    oci + "pulling-manifests",
		"existence":            oci + "checking-if-content-exists-in-the-registry",
		"pushing":              oci + "push",
		"post then put":        oci + "post-then-put",
		"single post":          oci + "single-post",
		"chunked upload":       oci + "pushing-a-blob-in-chunks",
		"upload cancel":        oci + "cancel-a-blob-upload",
		"mounting":             oci + "mounting-a-blob-from-another-repository",
		"pushing manifests":    oci + "pushing-manifests",
		"subject":              oci + "pushing-manifests-with-subject",
		"tags":                 oci + "listing-tags",
		"referrers":            oci + "listing-referrers",
		"deleting tags":        oci + "deleting-tags",
		"deleting manifests":   oci + "deleting-manifests",
		"deleting blobs":       oci + "deleting-blobs",
		"error codes":          oci + "error-codes",
		"warnings":             oci + "warnings",
		"docker v2":            docker + "api/",
		"docker tokens":        docker + "auth/token/",
		"docker oauth2":        docker + "auth/oauth/",
		"docker schema 1":      "https://github.com/distribution/distribution/blob/v2.8.3/docs/spec/manifest-v2-1.md",
		"docker v1":            "https://github.com/moby/moby/blob/v1.8.3/docs/reference/api/hub_registry_spec.md",
		"tag parameters":       oci + "pushing-manifests",
		"referrers tag":        oci + "referrers-tag-schema",
		"upgrading":            oci + "enabling-the-referrers-api",
		"TLS":                  rfc + "rfc9325",
		"HTTP/2":               rfc + "rfc9113",
		"proxying":             oci + "registry-proxying",
		"too many requests":    rfc + "rfc6585#section-4",
		"measured":             oci + "use-cases",
		"docker schema 2":      docker + "manifest-v2-2/",
		"HTTP semantics":       rfc + "rfc9110",
		"HTTP ranges":          rfc + "rfc9110#section-14",
		"HTTP conditions":      rfc + "rfc9110#section-13",
		"HTTP HEAD":            rfc + "rfc9110#section-9.3.2",
		"HTTP methods":         rfc + "rfc9110#section-15.5.6",
		"HTTP authentication":  rfc + "rfc9110#section-11.6.1",
		"HTTP content coding":  rfc + "rfc9110#section-8.4",
		"HTTP/1.1":             rfc + "rfc9112",
		"HTTP/1.1 framing":     rfc + "rfc9112#section-6",
		"ambiguous manifests":  "https://github.com/opencontainers/distribution-spec/security/advisories/GHSA-mc8v-mgrf-8f4m",
		"practice of clients":  oci + "use-cases",
		"isolation":            oci + "definitions",
		"content sniffing":     "https://fetch.spec.whatwg.org/#x-content-type-options-header",
		"forwarded addresses":  rfc + "rfc7239#section-8.1",
		"size of manifests":    oci + "pushing-manifests",
		"names of upload urls": oci + "pushing-blobs",
	}
}

// Validate finds what is wrong with a list of checks: an ID twice, no sentence,
// a clause without a link, a requirement that is not in the list or goes in a
// circle. It is nil for a list that can run.
func Validate(checks []*Check) error {
	const visiting, done = 1, 2
	known, state, links := map[string]*Check{}, map[*Check]int{}, clauseLinks()
	for _, c := range checks {
		switch {
		case c == nil || slices.Contains(c.Requires, nil) || slices.Contains(c.Uses, nil):
			return errors.New("a check, or what one requires, is nil")
		case c.ID == "" || c.Doc == "" || c.Run == nil || c.Level == 0:
			return fmt.Errorf("check %q lacks its ID, level, sentence or function", c.ID)
		case known[c.ID] != nil:
			return fmt.Errorf("two checks are called %q", c.ID)
		case links[c.Spec] == "":
			return fmt.Errorf("check %s: there is no clause %q", c.ID, c.Spec)
		case c.Hurts == "" && c.Group() != "perf":
			return fmt.Errorf("check %s does not say whom it hurts", c.ID)
		}
		known[c.ID] = c
	}
	var visit func(c *Check) error
	visit = func(c *Check) error {
		if state[c] == visiting {
			return fmt.Errorf("check %s requires itself", c.ID)
		}
		if state[c] == done {
			return nil
		}
		state[c] = visiting
		for _, r := range slices.Concat(c.Requires, c.Uses) {
			if known[r.ID] != r {
				return fmt.Errorf("check %s requires %s, which is not in the list", c.ID, r.ID)
			}
			if err := visit(r); err != nil {
				return err
			}
		}
		state[c] = done
		return nil
	}
	for _, c := range checks {
		if err := visit(c); err != nil {
			return err
		}
	}
	return nil
}
