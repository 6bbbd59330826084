// Package tarsum computes tarsum version 0, the checksum that the V1 protocol
// gives a layer: not of its bytes, but of what its tar says of each file, in
// any order, keyed with the image's JSON.
//
// Version 0 takes of each header, in this order, the name, mode, uid, gid, size,
// mtime, typeflag, linkname, uname, gname, devmajor and devminor, each as its
// name followed by its value, and then the file's content. The sums of the files
// in hex, sorted, are summed once more behind the key (docker 1.8,
// pkg/tarsum/versioning.go and tarsum.go; P-427, P-428).
package tarsum

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"slices"
	"strconv"
)

// Prefix is what the text of a version 0 tarsum with SHA-256 begins with.
const Prefix = "tarsum+sha256:"

// Compute reads an uncompressed tar to its end and returns its tarsum, keyed
// with the image JSON as it is sent: "tarsum+sha256:…". It keeps one sum for
// each file and never a file.
//
// Errors: the reader's, and archive/tar's for what is no tar.
func Compute(layer io.Reader, key []byte) (string, error) {
	t := tar.NewReader(layer)
	var s sums
	for {
		header, err := t.Next()
		if errors.Is(err, io.EOF) {
			return s.sum(key), nil
		}
		if err != nil {
			return "", err
		}
		s.begin(header)
		if _, err := io.Copy(&s, t); err != nil {
			return "", err
		}
		s.end()
	}
}

// sums gathers the sums of the files of one tar.
type sums struct {
	file  hash.Hash // of the file that is being read; nil before the first
	files [][sha256.Size]byte
}

// begin starts the next file's sum with its header.
func (s *sums) begin(h *tar.Header) {
	s.file = sha256.New()
	for _, field := range [...][2]string{
		{"name", h.Name},
		{"mode", strconv.FormatInt(h.Mode, 10)},
		{"uid", strconv.Itoa(h.Uid)},
		{"gid", strconv.Itoa(h.Gid)},
		{"size", strconv.FormatInt(h.Size, 10)},
		{"mtime", strconv.FormatInt(h.ModTime.UTC().Unix(), 10)},
		{"typeflag", string([]byte{h.Typeflag})},
		{"linkname", h.Linkname},
		{"uname", h.Uname},
		{"gname", h.Gname},
		{"devmajor", strconv.FormatInt(h.Devmajor, 10)},
		{"devminor", strconv.FormatInt(h.Devminor, 10)},
	} {
		io.WriteString(s.file, field[0]) //nolint:errcheck // a hash never fails
		io.WriteString(s.file, field[1]) //nolint:errcheck // a hash never fails
	}
}

// Write adds to the content of the file that is being read.
func (s *sums) Write(p []byte) (int, error) { return s.file.Write(p) }

// end closes the file that is being read, if there is one.
func (s *sums) end() {
	if s.file == nil {
		return
	}
	s.files = append(s.files, [sha256.Size]byte(s.file.Sum(nil)))
	s.file = nil
}

// sum is the tarsum of the files so far. Sorting the bytes sorts the hex digits
// as well.
func (s *sums) sum(key []byte) string {
	sorted := slices.Clone(s.files)
	slices.SortFunc(sorted, func(a, b [sha256.Size]byte) int { return slices.Compare(a[:], b[:]) })
	h := sha256.New()
	h.Write(key)
	digits := make([]byte, 2*sha256.Size)
	for _, f := range sorted {
		hex.Encode(digits, f[:])
		h.Write(digits)
	}
	return Prefix + hex.EncodeToString(h.Sum(nil))
}
