package pusher

import (
	"archive/tar"
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// sizesOf reads r to its end by 32 KiB and gives the size of each read.
func sizesOf(t *testing.T, r io.Reader) (sizes []int, all []byte) {
	t.Helper()
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			sizes = append(sizes, n)
		}
		all = append(all, buf[:n]...)
		if err == io.EOF {
			return sizes, all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func tarOf(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := io.CopyN(w, zeros{}, h.Size); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestTarPieces: a tar comes as docker's graph wrote it into its pipe: a header
// with the padding before it, content by 32 KiB, and the end in one.
func TestTarPieces(t *testing.T) {
	t.Parallel()
	file := func(size int64) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: "f", Size: size} }
	link := tar.Header{Typeflag: tar.TypeLink, Name: "l", Linkname: "x"}
	boasting := tarOf(t, link, link)
	copy(boasting[124:], "00000001750\x00")
	for name, c := range map[string]struct {
		tar  []byte
		want []int
	}{
		"a link that claims a size": {boasting, []int{512, 512, 1024}},
		"nothing":                   {tarOf(t), []int{1024}},
		"small files":               {tarOf(t, file(3000), file(10)), []int{512, 3000, 72 + 512, 10, 502 + 1024}},
		"whole blocks":              {tarOf(t, file(1024), file(0)), []int{512, 1024, 512, 1024}},
		"a large file":              {tarOf(t, tar.Header{Typeflag: tar.TypeDir, Name: "d/"}, file(70000)), []int{512, 512, 32 << 10, 32 << 10, 4464, 144 + 1024}},
		"a link":                    {tarOf(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "x"}, file(1)), []int{512, 512, 1, 511 + 1024}},
		"no tar":                    {bytes.Repeat([]byte{'x'}, 700), []int{700}},
		"a broken header":           {bytes.Repeat([]byte{'x'}, 2000), []int{2000}},
		"cut off":                   {tarOf(t, file(3000))[:1000], []int{512, 488}},
		"empty":                     {nil, nil},
	} {
		got, all := sizesOf(t, &tarPieces{in: bytes.NewReader(c.tar)})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: sizes (-want +got):\n%s", name, diff)
		}
		if !bytes.Equal(all, c.tar) {
			t.Errorf("%s: content changed", name)
		}
		if _, all := sizesOf(t, &tarPieces{in: iotest.OneByteReader(bytes.NewReader(c.tar))}); !bytes.Equal(all, c.tar) {
			t.Errorf("%s: content changed when it comes byte by byte", name)
		}
	}
}

// FuzzTarPieces: whatever comes, it comes out as it was.
func FuzzTarPieces(f *testing.F) {
	f.Add(bytes.Repeat([]byte("0"), 2048))
	f.Add(append(make([]byte, 124), 0x80, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1))
	f.Fuzz(func(t *testing.T, content []byte) {
		if _, all := sizesOf(t, &tarPieces{in: bytes.NewReader(content)}); !bytes.Equal(all, content) {
			t.Errorf("%d bytes became %d", len(content), len(all))
		}
	})
}
