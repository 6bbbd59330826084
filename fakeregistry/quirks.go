package fakeregistry

// Quirks are lawful or common deviations of registries from what distribution
// 3.1.2 does, each with a registry that has it. The zero value has none. QuirkList
// names them for scenario files.
type Quirks struct {
	RelativeLocation bool   // Location headers without scheme and host
	PlainLocation    bool   // Location of a session without state: offsets are not checked
	LocationQuery    string // more query for the Location of a session: "a=1&b=2"
	NoDigestHeader   bool   // no Docker-Content-Digest
	NoVersionHeader  bool   // no Docker-Distribution-API-Version
	ManifestAccepted bool   // 202 to a manifest PUT
	PatchCreated     bool   // 201 to a PATCH
	RangeOffByOne    bool   // Range one too large
	RangeOfChunk     bool   // Range of a PATCH's answer is that of the last chunk
	MinChunk         int64  // bytes: a smaller chunk that is not the last is refused with 416; announced
	MaxChunk         int64  // bytes: a larger chunk is refused with 416
	OnePatch         bool   // a second PATCH of a session is refused with 416
	NoPatch          bool   // PATCH is not there: 405
	NoSinglePost     bool   // POST ?digest= starts a session
	NoMount          bool   // a mount starts a session
	GlobalBlobs      bool   // a blob is there in every repository
	NoReferrers      bool   // the referrers endpoint is not there: 404
	IgnoreAccept     bool   // a manifest is given whatever Accept says
	LooseManifests   bool   // what a manifest names need not be there
	MaxTags          int    // more than so many tags may not be asked for: UNSUPPORTED
	PlainErrors      bool   // errors are text/plain, with the same JSON
}

// A Quirk is the entry of one field of Quirks in the documentation and the
// scenario format.
type Quirk struct {
	Name     string // "relative-location"
	Registry string // who has it
	Doc      string
	// Set turns it on. value is a bool, an int64 or a string, as the field is.
	//
	// Errors: a value of another type.
	Set func(q *Quirks, value any) error
}

// A Difference is a place where a V2 without quirks answers otherwise than
// distribution 3.1.2 does in the same configuration.
type Difference struct{ Name, Doc string }

// Differences lists them all: a test compares the two over some hundred requests
// and takes no other.
func Differences() []Difference {
	return []Difference{
		{"single-post", "POST ?digest= stores the blob; distribution starts a session. See Quirks.NoSinglePost."},
		{"referrers", "the referrers endpoint is there; distribution has none. See Quirks.NoReferrers."},
		{"catalog", "/v2/_catalog, which is not in the specification, is 404."},
		{"long-name", "a repository's name of more than 255 bytes is NAME_INVALID; distribution answers UNKNOWN, twice."},
		{"last-of-nothing", "tags/list?last= of a repository without tags is NAME_UNKNOWN as without last; distribution answers an empty list."},
		{"digest-as-asked", "a blob of another algorithm than sha256 is answered by the digest that was asked for, as the specification demands; distribution answers its sha256 digest."},
	}
}
