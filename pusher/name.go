package pusher

import (
	"errors"
	"fmt"
	"strings"

	grammar "github.com/distribution/reference"
)

// officialIndex is the registry of names without a host (P-050).
const officialIndex = "docker.io"

// A Name is a repository as docker 1.8 takes it apart (P-051 to P-055).
type Name struct {
	Index     string // the registry: "127.0.0.1:5000", or "docker.io"
	Local     string // in the local store: "127.0.0.1:5000/lib/app", "ubuntu"
	Remote    string // on the registry: "lib/app", "library/ubuntu"
	Canonical string // for messages: "127.0.0.1:5000/lib/app", "docker.io/library/ubuntu"
	Official  bool   // on docker.io, without a user
}

// ParseName takes a repository's name apart.
//
// Errors: docker 1.8's, in its words (P-052, P-053).
func ParseName(repository string) (Name, error) { return NameRules{}.Parse(repository) }

// Parse takes a repository's name apart as an era reads it.
//
// Errors: that era's, in its words.
func (r NameRules) Parse(repository string) (Name, error) {
	if r.Reference != "" {
		return r.reference(repository)
	}
	if strings.Contains(repository, "://") {
		return Name{}, errors.New(`Invalid repository name (ex: "registry.domain.tld/myrepos")`) //nolint:staticcheck,revive // docker's words
	}
	index, remote := splitName(repository)
	if index == "index."+officialIndex {
		index = officialIndex
	}
	if strings.HasPrefix(index, "-") || strings.HasSuffix(index, "-") {
		return Name{}, fmt.Errorf("Invalid index name (%s). Cannot begin or end with a hyphen.", index) //nolint:staticcheck,revive // docker's words
	}
	if err := r.validateRemote(remote); err != nil {
		return Name{}, err
	}
	return nameOf(index, remote), nil
}

// nameOf is the name of a repository on a registry (P-054, P-055).
func nameOf(index, remote string) Name {
	if index != officialIndex {
		full := index + "/" + remote
		return Name{Index: index, Local: full, Remote: remote, Canonical: full}
	}
	local := strings.TrimPrefix(remote, "library/")
	n := Name{Index: index, Local: local, Remote: local, Official: !strings.Contains(local, "/")}
	if n.Official {
		n.Remote = "library/" + local
	}
	n.Canonical = index + "/" + n.Remote
	return n
}

// splitName tells a registry's host from the rest (P-051).
func splitName(repository string) (index, remote string) {
	first, rest, found := strings.Cut(repository, "/")
	if !found || (!strings.ContainsAny(first, ".:") && first != "localhost") {
		return officialIndex, repository
	}
	return first, rest
}

// validateRemote checks the part after the host (P-052, P-053).
func (r NameRules) validateRemote(remote string) error {
	if isImageID(remote) {
		return fmt.Errorf("Invalid repository name (%s), cannot specify 64-byte hexadecimal strings", remote) //nolint:staticcheck,revive // docker's words
	}
	if remote == "" {
		return errors.New("repository name must have at least one component")
	}
	if len(remote) > 255 {
		return errors.New("repository name must not be more than 255 characters")
	}
	for part := range strings.SplitSeq(remote, "/") {
		if !r.validComponent(part) {
			return fmt.Errorf("repository name component must match %q", r.pattern())
		}
	}
	return nil
}

// isImageID tells 64 hex digits.
func isImageID(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// The rules for a component, as the error shows them: of docker 1.8, and of 1.9,
// which takes any number of hyphens inside a label (P-053).
const (
	componentPattern = `[a-z0-9]+(?:[._-][a-z0-9]+)*`
	labelPattern     = `[a-z0-9](?:-*[a-z0-9])*(?:[._][a-z0-9](?:-*[a-z0-9])*)*`
)

func (r NameRules) pattern() string {
	if r.Labels {
		return labelPattern
	}
	return componentPattern
}

// validComponent matches the whole of s against the pattern.
func (r NameRules) validComponent(s string) bool {
	var last byte // the one before, 0 at the beginning
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
		case c == '-' && r.Labels && last == '-':
		case (c == '.' || c == '_' || c == '-') && last != 0 && !isSeparator(last):
		default:
			return false
		}
		last = s[i]
	}
	return last != 0 && !isSeparator(last)
}

func isSeparator(c byte) bool { return c == '.' || c == '_' || c == '-' }

// reference takes a name apart by the grammar that all have shared since docker
// 1.10 (P-016, P-053).
func (r NameRules) reference(repository string) (Name, error) {
	named, err := grammar.ParseNormalizedNamed(repository)
	if err == nil && !grammar.IsNameOnly(named) {
		err = grammar.ErrReferenceInvalidFormat
	}
	if err == nil && r.long(repository, named.Name()) {
		err = grammar.ErrNameTooLong
	}
	if err != nil {
		return Name{}, fmt.Errorf(r.Reference, repository, err)
	}
	return nameOf(grammar.Domain(named), grammar.Path(named)), nil
}

// long tells whether a name with its host, which the grammar does not count, is
// longer than the era takes (P-053).
func (r NameRules) long(written, full string) bool {
	switch r.Longest {
	case LengthAsWritten:
		return len(written) > grammar.RepositoryNameTotalLengthMax
	case LengthWithHost:
		return len(full) > grammar.RepositoryNameTotalLengthMax
	case LengthOfPath: // the grammar has looked
	}
	return false
}

// checkTag tells what is wrong with a tag. Docker 1.8 and 1.9 never look (P-016).
func (r NameRules) checkTag(tag string) error {
	if r.Reference == "" || tag == "" || isDigestReference(tag) {
		return nil
	}
	named, err := grammar.WithName("any")
	if err == nil {
		_, err = grammar.WithTag(named, tag)
	}
	return err
}
