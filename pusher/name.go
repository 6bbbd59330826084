package pusher

import (
	"errors"
	"fmt"
	"strings"
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
func ParseName(repository string) (Name, error) {
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
	if err := validateRemote(remote); err != nil {
		return Name{}, err
	}
	if index != officialIndex {
		full := index + "/" + remote
		return Name{Index: index, Local: full, Remote: remote, Canonical: full}, nil
	}
	local := strings.TrimPrefix(remote, "library/")
	n := Name{Index: index, Local: local, Remote: local, Official: !strings.Contains(local, "/")}
	if n.Official {
		n.Remote = "library/" + local
	}
	n.Canonical = index + "/" + n.Remote
	return n, nil
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
func validateRemote(remote string) error {
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
		if !validComponent(part) {
			return fmt.Errorf("repository name component must match %q", componentPattern)
		}
	}
	return nil
}

// isImageID tells 64 hex digits.
func isImageID(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// componentPattern is the rule for a component, as the error shows it (P-053).
const componentPattern = `[a-z0-9]+(?:[._-][a-z0-9]+)*`

// validComponent matches the whole of s against componentPattern.
func validComponent(s string) bool {
	separated := true // whether the next byte must be a letter or a digit
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			separated = false
		case (c == '.' || c == '_' || c == '-') && !separated:
			separated = true
		default:
			return false
		}
	}
	return !separated
}
