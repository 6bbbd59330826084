package tarsum_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/tarsum"
)

// A vector is one layer that docker 1.8.3 pushed over V1: what it said of it,
// and the layer as it sent it.
type vector struct {
	ID       string        `json:"id"`
	Checksum string        `json:"checksum"` // X-Docker-Checksum
	Payload  digest.Digest `json:"payload"`  // X-Docker-Checksum-Payload
	Tar      digest.Digest `json:"tar"`      // of the uncompressed tar
	Layer    string        `json:"layer"`    // file with the bytes sent
}

func vectors(t *testing.T) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/docker-1.8.3.json")
	require.NoError(t, err)
	var v []vector
	require.NoError(t, json.Unmarshal(b, &v))
	require.Len(t, v, 6)
	return v
}

func (v vector) key(t *testing.T) []byte { return read(t, v.ID+".json") }

func (v vector) tar(t *testing.T) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(read(t, v.Layer)))
	require.NoError(t, err)
	b, err := io.ReadAll(z)
	require.NoError(t, err)
	require.Equal(t, v.Tar, digest.FromBytes(b))
	return b
}

// The tarsum of what docker 1.8.3 sent is what docker 1.8.3 said of it.
func TestComputeAsDocker(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		got, err := tarsum.Compute(bytes.NewReader(v.tar(t)), v.key(t))
		require.NoError(t, err)
		require.Equal(t, v.Checksum, got, v.ID)
	}
}

// A Reader sums as Compute does, and the tar within what it hands on has the
// same sum, whatever the size of the reads. Read by 32 KiB as net/http reads a
// body, it hands on the very bytes that docker 1.8.3 sent.
func TestReaderAsDocker(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"32 KiB": func(r io.Reader) io.Reader { return r },
			"1 byte": iotest.OneByteReader,
			"halves": iotest.HalfReader,
		} {
			r := tarsum.NewReader(bytes.NewReader(v.tar(t)))
			var packed bytes.Buffer
			_, err := io.CopyBuffer(struct{ io.Writer }{&packed}, wrap(struct{ io.Reader }{r}), make([]byte, 32<<10))
			require.NoError(t, err)
			require.Equal(t, v.Checksum, r.Sum(v.key(t)), "%s, %s", v.ID, name)

			z, err := gzip.NewReader(&packed)
			require.NoError(t, err)
			again, err := tarsum.Compute(z, v.key(t))
			require.NoError(t, err)
			require.Equal(t, v.Checksum, again, "%s, %s", v.ID, name)
		}
		h := sha256.New()
		h.Write(v.key(t))
		h.Write([]byte("\n"))
		_, err := io.Copy(h, struct{ io.Reader }{tarsum.NewReader(bytes.NewReader(v.tar(t)))})
		require.NoError(t, err)
		require.Equal(t, v.Payload, digest.NewDigest(digest.SHA256, h), v.ID)
	}
}

// Every field that version 0 takes changes the sum, and no other does; the order
// of the files does not.
func TestWhatCounts(t *testing.T) {
	t.Parallel()
	file := func() tar.Header {
		return tar.Header{
			Typeflag: tar.TypeReg, Name: "a", Mode: 0o644, Uid: 1, Gid: 2, Uname: "u", Gname: "g",
			Size: 3, ModTime: time.Unix(1000, 0), Format: tar.FormatPAX,
		}
	}
	base := sumOf(t, entry{file(), "abc"})
	for name, change := range map[string]func(*tar.Header){
		"name":  func(h *tar.Header) { h.Name = "b" },
		"mode":  func(h *tar.Header) { h.Mode = 0o600 },
		"uid":   func(h *tar.Header) { h.Uid = 9 },
		"gid":   func(h *tar.Header) { h.Gid = 9 },
		"mtime": func(h *tar.Header) { h.ModTime = time.Unix(1001, 0) },
		"uname": func(h *tar.Header) { h.Uname = "x" },
		"gname": func(h *tar.Header) { h.Gname = "x" },
	} {
		h := file()
		change(&h)
		require.NotEqual(t, base, sumOf(t, entry{h, "abc"}), name)
	}
	link := func(to string, major, minor int64, typ byte) string {
		return sumOf(t, entry{tar.Header{Typeflag: typ, Name: "l", Linkname: to, Devmajor: major, Devminor: minor}, ""})
	}
	require.NotEqual(t, link("x", 0, 0, tar.TypeSymlink), link("y", 0, 0, tar.TypeSymlink), "linkname")
	require.NotEqual(t, link("x", 0, 0, tar.TypeSymlink), link("x", 0, 0, tar.TypeLink), "typeflag")
	require.NotEqual(t, link("", 1, 2, tar.TypeChar), link("", 3, 2, tar.TypeChar), "devmajor")
	require.NotEqual(t, link("", 1, 2, tar.TypeChar), link("", 1, 3, tar.TypeChar), "devminor")
	require.NotEqual(t, base, sumOf(t, entry{file(), "abd"}), "content")

	h := file()
	h.ModTime = time.Unix(1000, 5e8)
	require.Equal(t, base, sumOf(t, entry{h, "abc"}), "parts of a second do not count")
	h = file()
	h.PAXRecords = map[string]string{"SCHILY.xattr.user.a": "b"}
	require.Equal(t, base, sumOf(t, entry{h, "abc"}), "extended attributes do not count")

	other := file()
	other.Name = "z"
	one, two := entry{file(), "abc"}, entry{other, "xyz"}
	require.Equal(t, sumOf(t, one, two), sumOf(t, two, one), "the order does not count")
}

// An empty tar's sum is the key's.
func TestEmpty(t *testing.T) {
	t.Parallel()
	for _, layer := range [][]byte{nil, make([]byte, 1024)} {
		got, err := tarsum.Compute(bytes.NewReader(layer), []byte("key"))
		require.NoError(t, err)
		sum := sha256.Sum256([]byte("key"))
		require.Equal(t, tarsum.Prefix+hex.EncodeToString(sum[:]), got)
	}
}

func TestBrokenTars(t *testing.T) {
	t.Parallel()
	whole := build(t, entry{tar.Header{Typeflag: tar.TypeReg, Name: "a", Size: 2000}, strings.Repeat("a", 2000)})
	broken := errors.New("disk broken")
	for name, c := range map[string]struct {
		layer io.Reader
		want  error
	}{
		"cut off in a file":   {bytes.NewReader(whole[:1000]), io.ErrUnexpectedEOF},
		"cut off in a header": {bytes.NewReader(whole[:100]), io.ErrUnexpectedEOF},
		"no tar":              {strings.NewReader(strings.Repeat("x", 4096)), tar.ErrHeader},
		"failing reader":      {io.MultiReader(bytes.NewReader(whole[:1000]), iotest.ErrReader(broken)), broken},
	} {
		again := &bytes.Buffer{}
		_, err := tarsum.Compute(io.TeeReader(c.layer, again), nil)
		require.ErrorIs(t, err, c.want, name)
		if !errors.Is(c.want, broken) {
			_, err = io.Copy(io.Discard, tarsum.NewReader(again))
			require.ErrorIs(t, err, c.want, name)
		}
	}
	_, err := io.Copy(io.Discard, tarsum.NewReader(io.MultiReader(bytes.NewReader(whole[:1000]), iotest.ErrReader(broken))))
	require.ErrorIs(t, err, broken)
}

// What a Reader holds does not grow with the layer.
func TestFlatMemory(t *testing.T) {
	t.Parallel()
	const size = 2 << 20
	in, out := io.Pipe()
	go func() {
		w := tar.NewWriter(out)
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "a", Size: size})
		_, _ = io.CopyN(w, &noise{2463534242}, size)
		_ = w.Close()
		_ = out.Close()
	}()
	r := tarsum.NewReader(in)
	buf := make([]byte, 64) // each read leaves a few bytes of flushing behind
	var held int
	for {
		_, err := r.Read(buf)
		held = max(held, r.Held())
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	require.Less(t, held, 64<<10)
}

// noise is a stream that does not compress.
type noise struct{ state uint32 }

func (n *noise) Read(p []byte) (int, error) {
	for i := range p {
		n.state ^= n.state << 13
		n.state ^= n.state >> 17
		n.state ^= n.state << 5
		p[i] = byte(n.state)
	}
	return len(p), nil
}

type entry struct {
	header  tar.Header
	content string
}

func sumOf(t *testing.T, entries ...entry) string {
	t.Helper()
	sum, err := tarsum.Compute(bytes.NewReader(build(t, entries...)), nil)
	require.NoError(t, err)
	return sum
}

func build(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		require.NoError(t, w.WriteHeader(&e.header))
		_, err := io.WriteString(w, e.content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	return b
}
