package conformance

import (
	"slices"
	"strings"
)

// A Report is what a run found. It is not changed after Run returned it.
type Report struct {
	Target, Profile string
	Seed            uint64
	Prefix          string // of the repositories that were written to
	LeftBehind      bool   // they are still there: the registry does not delete, or the run kept them
	Requests, Bytes int64  // that the run sent; the bytes are of bodies, both ways
	Verdicts        []Verdict

	secrets []string // must stand in no report
}

// Exit codes of a run.
const (
	ExitOK     = 0
	ExitFailed = 1 // a requirement is not met
	ExitUsage  = 2 // the target or the options cannot be meant
	ExitBroken = 3 // the registry cannot be reached, or something could not be seen
)

// ExitCode is what a program ends with. failOn is the lightest level of a
// requirement that must be met: Must, or Should.
func (r *Report) ExitCode(failOn Level) int {
	broken := false
	for _, v := range r.Verdicts {
		switch {
		case v.Word == Fail, v.Word == Warn && failOn >= Should, v.Word == Note && failOn >= May:
			return ExitFailed
		case v.Word == Errored:
			broken = true
		}
	}
	if broken {
		return ExitBroken
	}
	return ExitOK
}

// Count is how many verdicts have a word.
func (r *Report) Count(w Word) int {
	n := 0
	for _, v := range r.Verdicts {
		if v.Word == w {
			n++
		}
	}
	return n
}

// Verdict is that of one check; nil when it did not run.
func (r *Report) Verdict(id string) *Verdict {
	for i := range r.Verdicts {
		if r.Verdicts[i].Check.ID == id {
			return &r.Verdicts[i]
		}
	}
	return nil
}

// A Cause is one thing that is wrong with a registry, and every check that shows
// it or hangs on it.
type Cause struct {
	Word    Word     `json:"verdict"`           // the gravest of its checks'
	Title   string   `json:"title"`             // what was wanted and what was got, or the one check's sentence
	Checks  []string `json:"checks"`            // that show it, the gravest first
	Blocked []string `json:"blocked,omitempty"` // that could not be looked at because of it
	Hurts   string   `json:"hurts,omitempty"`   // which clients break, and how
}

// Causes groups what is not met by its root: checks that wanted and got the same
// of the same operation have one cause, and so has what they block. The gravest
// comes first.
func (r *Report) Causes() []Cause {
	var causes []*Cause
	byKey, byCheck := map[string]*Cause{}, map[string]*Cause{}
	for _, w := range []Word{Fail, Errored, Warn, Note} {
		for _, v := range r.Verdicts {
			if v.Word != w {
				continue
			}
			key := v.rootKey()
			c := byKey[key]
			if c == nil {
				c = &Cause{Word: w, Title: v.Reason, Hurts: v.Check.Hurts}
				byKey[key], causes = c, append(causes, c)
			}
			c.Checks = append(c.Checks, v.Check.ID)
			byCheck[v.Check.ID] = c
		}
	}
	for _, v := range r.Verdicts {
		if c := byCheck[v.BlockedBy]; v.Word == BlockedBy && c != nil {
			c.Blocked = append(c.Blocked, v.Check.ID)
		}
	}
	out := make([]Cause, 0, len(causes))
	for _, c := range causes {
		out = append(out, *c)
	}
	slices.SortStableFunc(out, func(a, b Cause) int {
		if a.Word != b.Word {
			return slices.Index(Words(), a.Word) - slices.Index(Words(), b.Word)
		}
		return len(b.Blocked) - len(a.Blocked)
	})
	return out
}

// rootKey is equal for verdicts that have one cause.
func (v *Verdict) rootKey() string {
	if v.Violation == nil {
		return v.Reason
	}
	got, _, _ := strings.Cut(v.Violation.Got, " ")
	op := ""
	if e := v.Violation.Exchange; e != nil {
		op = string(e.Route.Op)
	}
	return op + "\x00" + anyDigest(v.Violation.Want) + "\x00" + anyDigest(got)
}

// anyDigest is a text in which all digests look alike.
func anyDigest(s string) string {
	words := strings.Fields(s)
	for i, w := range words {
		if strings.Contains(w, "sha256:") || strings.Contains(w, "sha512:") {
			words[i] = "digest"
		}
	}
	return strings.Join(words, " ")
}
