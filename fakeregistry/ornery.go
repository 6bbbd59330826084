package fakeregistry

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// An Oddity is one way in which a registry is lawful and difficult at once: a
// client that reads the standards copes with it.
type Oddity struct {
	Name string // "session-elsewhere"
	Doc  string
	Law  string // where it is allowed
	set  func(q *Quirks, chance *rand.Rand)
}

// OddityList is every oddity that Ornery knows.
func OddityList() []Oddity {
	return []Oddity{
		{
			"relative-location", "A Location is a path without scheme and host.", "OCI distribution-spec 1.1, \"Pushing blobs\"; RFC 9110, 10.2.2",
			func(q *Quirks, _ *rand.Rand) { q.RelativeLocation = true },
		},
		{
			"session-query", "The location of an upload session has a query, in which order matters and more than the registry's own state stands.", "OCI distribution-spec 1.1, \"POST then PUT\": the location may have a query",
			func(q *Quirks, chance *rand.Rand) {
				q.LocationQuery = fmt.Sprintf("_nouploadcache=false&z=%d&a=%%2Fx%%3D%%3D", chance.IntN(1000))
			},
		},
		{
			"session-elsewhere", "The location of an upload session is not below /v2/.", "OCI distribution-spec 1.1, \"POST then PUT\": clients must not build it themselves",
			func(q *Quirks, _ *rand.Rand) { q.SessionElsewhere = true },
		},
		{
			"redirected-blobs", "GET and HEAD of a blob lead elsewhere with 307.", "OCI distribution-spec 1.1, \"Pulling blobs\"",
			func(q *Quirks, _ *rand.Rand) { q.RedirectBlobs = true },
		},
		{
			"min-chunk", "Chunks have a minimum, which is announced; the last one may be smaller.", "OCI distribution-spec 1.1, \"Pushing a blob in chunks\": OCI-Chunk-Min-Length",
			func(q *Quirks, chance *rand.Rand) { q.MinChunk = 1 << (10 + chance.IntN(8)) },
		},
		{
			"no-mount", "A mount starts an upload session instead: 202.", "OCI distribution-spec 1.1, \"Mounting a blob from another repository\"",
			func(q *Quirks, _ *rand.Rand) { q.NoMount = true },
		},
		{
			"no-single-post", "A POST with a digest starts an upload session and leaves the body unread: 202.", "OCI distribution-spec 1.1, \"Single POST\"",
			func(q *Quirks, _ *rand.Rand) { q.NoSinglePost = true },
		},
		{
			"extra-fields", "Answers in JSON have fields that nobody knows.", "OCI distribution-spec 1.1, \"Error codes\"; RFC 8259 leaves what is unknown to the reader",
			func(q *Quirks, _ *rand.Rand) { q.ExtraFields = true },
		},
		{
			"shuffled-errors", "A refusal has several errors, in any order, one in words of the registry's own.", "OCI distribution-spec 1.1, \"Error codes\": errors is a list",
			func(q *Quirks, _ *rand.Rand) { q.ShuffledErrors = true },
		},
		{
			"header-case", "Names of headers are in lower or upper case.", "RFC 9110, 5.1",
			func(q *Quirks, chance *rand.Rand) { q.HeaderCase = [...]string{"lower", "upper"}[chance.IntN(2)] },
		},
		{
			"no-length", "Answers in JSON come in chunks and do not tell their length.", "RFC 9112, 6",
			func(q *Quirks, _ *rand.Rand) { q.NoLength = true },
		},
		{
			"closing", "Every few answers the connection is closed.", "RFC 9112, 9.6",
			func(q *Quirks, chance *rand.Rand) { q.CloseEvery = int64(1 + chance.IntN(4)) },
		},
		{
			"latency", "Every answer takes a while.", "nothing promises otherwise",
			func(q *Quirks, chance *rand.Rand) { q.Latency = int64(1 + chance.IntN(200)) },
		},
		{
			"throttle", "Now and then a request is refused with 429 and a Retry-After, in seconds and as a date in turn.", "OCI distribution-spec 1.1, \"Error codes\": TOOMANYREQUESTS; RFC 9110, 10.2.3",
			func(q *Quirks, chance *rand.Rand) { q.Throttle = int64(6 + chance.IntN(6)) },
		},
	}
}

// OddityNames are the names of OddityList.
func OddityNames() []string {
	var names []string
	for _, o := range OddityList() {
		names = append(names, o.Name)
	}
	return names
}

// Ornery makes a lawful and difficult registry: the quirks of the oddities named,
// or of about half of them all, which the seed chooses. The seed also decides how
// large, how long and how often.
//
// Errors: a name that is none.
func Ornery(seed uint64, names ...string) (Quirks, error) {
	var q Quirks
	for _, name := range names {
		if !slices.Contains(OddityNames(), name) {
			return q, fmt.Errorf("%q is not an oddity; there are %s", name, strings.Join(OddityNames(), ", "))
		}
	}
	for i, o := range OddityList() {
		if chance, chosen := o.draw(seed, i, names); chosen {
			o.set(&q, chance)
		}
	}
	return q, nil
}

// draw is the chance of the oddity, number i of the list, and whether it is chosen: by
// name, or by the seed where there are no names.
func (o Oddity) draw(seed uint64, i int, names []string) (chance *rand.Rand, chosen bool) {
	chance = rand.New(rand.NewPCG(seed, uint64(i))) //nolint:gosec // chance that must repeat
	chosen = chance.IntN(2) == 0
	return chance, slices.Contains(names, o.Name) || len(names) == 0 && chosen
}

// Oddities are those that Ornery turns on for a seed and names.
func Oddities(seed uint64, names ...string) []Oddity {
	var list []Oddity
	for i, o := range OddityList() {
		if _, chosen := o.draw(seed, i, names); chosen {
			list = append(list, o)
		}
	}
	return list
}
