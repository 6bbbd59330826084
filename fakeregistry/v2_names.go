package fakeregistry

import (
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// The names of the protocol, by the grammar of distribution's routes: a request
// whose path breaks it meets no route (P-310). They are written by hand because
// compiled expressions would cost every start of a program that links us.

// maxName is how long a repository's name may be, not counting a leading
// component that could be a host.
const maxName = 255

// validPath reports whether the names in a route fit the routes' grammar.
func validPath(r wire.Route) bool {
	if !validName(r.Repository) {
		return false
	}
	switch r.Op {
	case wire.OpBlobHead, wire.OpBlobGet, wire.OpBlobDelete, wire.OpReferrers:
		return digestLike(string(r.Digest))
	case wire.OpManifestHead, wire.OpManifestGet, wire.OpManifestPut, wire.OpManifestDelete:
		return r.Digest == "" && validTag(r.Tag) || digestLike(string(r.Digest))
	case wire.OpUploadPatch, wire.OpUploadPut, wire.OpUploadStatus, wire.OpUploadCancel:
		return r.Session == "" || only(r.Session, sessionByte)
	}
	return true
}

// checkName answers names that are longer than distribution lets them be.
func checkName(name string) error {
	rest := name
	if first, tail, ok := strings.Cut(name, "/"); ok && validDomain(first) {
		rest = tail
	}
	if len(rest) > maxName {
		return CodeNameInvalid.With("repository name must not be more than 255 characters")
	}
	return nil
}

// validName reports whether s is a repository's name: components of lower case
// letters and digits, separated by one of . _ __ or any number of -; the first of
// several may instead be a host and port.
func validName(s string) bool {
	first, tail, several := strings.Cut(s, "/")
	if several && !validComponent(first) && !validDomain(first) || !several && !validComponent(first) {
		return false
	}
	for several {
		var c string
		c, tail, several = strings.Cut(tail, "/")
		if !validComponent(c) {
			return false
		}
	}
	return true
}

func validComponent(s string) bool {
	if s == "" || !alnumByte(s[0]) || !alnumByte(s[len(s)-1]) {
		return false
	}
	for i := 0; i < len(s); {
		if alnumByte(s[i]) {
			i++
			continue
		}
		j := i
		for j < len(s) && !alnumByte(s[j]) {
			j++
		}
		switch sep := s[i:j]; {
		case sep == ".", sep == "_", sep == "__", strings.Trim(sep, "-") == "":
		default:
			return false
		}
		i = j
	}
	return true
}

func validDomain(s string) bool {
	host, port, ok := strings.Cut(s, ":")
	if ok && !only(port, func(c byte) bool { return '0' <= c && c <= '9' }) {
		return false
	}
	for _, label := range strings.Split(host, ".") {
		if !only(label, func(c byte) bool { return letterByte(c) || c == '-' }) || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}

// validTag reports whether s is a tag: 1 to 128 of [A-Za-z0-9_.-], not starting
// with . or -.
func validTag(s string) bool {
	return len(s) <= 128 && only(s, tagByte) && s[0] != '.' && s[0] != '-'
}

// digestLike reports whether s has the form of a digest of any algorithm.
func digestLike(s string) bool {
	algorithm, encoded, ok := strings.Cut(s, ":")
	if !ok || !only(encoded, func(c byte) bool { return letterByte(c) || c == '=' || c == '_' || c == '-' }) {
		return false
	}
	separated := true // whether the last byte was a separator, or there was none
	for i := range len(algorithm) {
		switch c := algorithm[i]; {
		case alnumByte(c):
			separated = false
		case !separated && strings.IndexByte(".+_-", c) >= 0:
			separated = true
		default:
			return false
		}
	}
	return !separated
}

// only reports whether s is not empty and ok says yes to each byte.
func only(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return s != ""
}

func alnumByte(c byte) bool  { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }
func letterByte(c byte) bool { return alnumByte(c) || 'A' <= c && c <= 'Z' }
func tagByte(c byte) bool    { return letterByte(c) || c == '_' || c == '.' || c == '-' }

func sessionByte(c byte) bool { return tagByte(c) || c == '=' }
