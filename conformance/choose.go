package conformance

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// ErrOptions says that Options cannot be meant.
var ErrOptions = errors.New("wrong options")

// A Profile is a choice of checks with a purpose.
type Profile struct {
	Name, Doc string
	// Holds reports whether a check belongs to it.
	Holds func(c *Check) bool
}

// Profiles are the choices there are.
func Profiles() []Profile {
	docker := []string{"ping", "auth", "blob", "mono", "mount", "dig", "man", "err", "sec", "http", "era"}
	dockerToo := []string{"chunk-01", "chunk-02", "chunk-19", "chunk-20", "tag-01", "tag-02", "tag-11", "tag-12", "tag-15", "conc-01", "conc-08"}
	later := []string{"mono-17", "man-28", "dig-07"}                                       // than 1.0
	costly := []string{"blob-13", "sec-11", "era-bad-line-best", "era-bad-line-docker-28"} // and no part of a push
	oci := []string{"ping", "blob", "mono", "chunk", "mount", "dig", "man", "tag", "del", "err"}
	return []Profile{
		{"docker-push", "what docker push really uses", func(c *Check) bool {
			return (slices.Contains(docker, c.Group()) || slices.Contains(dockerToo, c.ID)) && !slices.Contains(costly, c.ID)
		}},
		{"oci-1.0", "what the OCI distribution specification 1.0 demands and recommends", func(c *Check) bool {
			return slices.Contains(oci, c.Group()) && !c.Silent && !strings.HasPrefix(c.Spec, "docker") && !slices.Contains(later, c.ID)
		}},
		{"oci-1.1", "the same of 1.1: with referrers", func(c *Check) bool {
			return (slices.Contains(oci, c.Group()) || c.Group() == "ref") && !c.Silent && !strings.HasPrefix(c.Spec, "docker")
		}},
		{"resilience", "broken lines, repetition and many at once", func(c *Check) bool {
			return slices.Contains([]string{"res", "conc"}, c.Group()) || slices.Contains([]string{"ref-11", "mono-12", "mono-14", "auth-08", "era-bad-line-best", "era-bad-line-docker-28"}, c.ID)
		}},
		{"security", "what somebody with bad intent would try", func(c *Check) bool {
			return slices.Contains([]string{"sec", "auth"}, c.Group()) || slices.Contains([]string{"dig-04", "dig-06", "err-06", "mount-07", "chunk-20", "man-20"}, c.ID)
		}},
		{"limits", "how large things may be", func(c *Check) bool {
			return c.Group() == "lim" || slices.Contains([]string{"blob-13", "chunk-16", "tag-08", "sec-11"}, c.ID)
		}},
		{"perf", "how fast it is: measured, never judged", func(c *Check) bool { return c.Group() == "perf" }},
		{pullOnly, "what can be seen of an image that is there, without pushing anything", func(c *Check) bool { return c.Pull }},
		{"all", "every check", func(*Check) bool { return true }},
	}
}

// pullOnly is the profile that pushes nothing.
const pullOnly = "pull-only"

// Select are the checks that options choose, and those that they require, in the
// order of the list.
//
// Errors: ErrOptions for a profile or a name that there is not, and when nothing
// is left.
func (o Options) Select() ([]*Check, error) {
	all := o.Checks
	if all == nil {
		all = Checks()
	}
	if err := Validate(all); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	holds, err := o.profile()
	if err != nil {
		return nil, err
	}
	if (o.Profile == pullOnly) != (o.Given != "") {
		return nil, fmt.Errorf("%w: the profile pull-only and an image that is there go together", ErrOptions)
	}
	for _, pattern := range slices.Concat(o.Run, o.Skip) {
		if !slices.ContainsFunc(all, func(c *Check) bool { return matches(pattern, c) }) {
			return nil, fmt.Errorf("%w: no check is called %q", ErrOptions, pattern)
		}
	}
	wanted := map[*Check]bool{}
	for _, c := range all {
		if holds(c) && (len(o.Run) == 0 || anyMatches(o.Run, c)) && (o.Level == 0 || c.Level <= o.Level) {
			o.require(wanted, c)
		}
	}
	var selected []*Check
	for _, c := range all {
		if wanted[c] && !anyMatches(o.Skip, c) {
			selected = append(selected, c)
		}
	}
	if len(selected) == 0 {
		return nil, fmt.Errorf("%w: nothing is selected", ErrOptions)
	}
	return selected, nil
}

func (o Options) require(wanted map[*Check]bool, c *Check) {
	if wanted[c] || anyMatches(o.Skip, c) || o.Profile == pullOnly && !c.Pull {
		return
	}
	wanted[c] = true
	for _, r := range slices.Concat(c.Requires, c.Uses) {
		o.require(wanted, r)
	}
}

// profileName is the profile's: docker-push when none is named, or all when checks
// are.
func (o Options) profileName() string {
	switch {
	case o.Profile != "":
		return o.Profile
	case len(o.Run) > 0:
		return "all"
	}
	return "docker-push"
}

// profile is what the profile holds.
func (o Options) profile() (func(*Check) bool, error) {
	name := o.profileName()
	var names []string
	for _, p := range Profiles() {
		if p.Name == name {
			return p.Holds, nil
		}
		names = append(names, p.Name)
	}
	return nil, fmt.Errorf("%w: there is no profile %q; there is %s", ErrOptions, name, strings.Join(names, ", "))
}

func anyMatches(patterns []string, c *Check) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, c) })
}

func matches(pattern string, c *Check) bool {
	ok, err := path.Match(strings.ToLower(pattern), c.ID)
	return err == nil && ok || strings.EqualFold(pattern, c.Group())
}
