package image_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// bigArchive streams a docker save archive with a layer of about so many bytes,
// which nobody holds.
func bigArchive(t testing.TB, s *image.Store, size int64) io.Reader {
	t.Helper()
	ids, err := s.Make(t.Context(), image.Recipe{Layers: []int64{size}})
	require.NoError(t, err)
	l, err := s.Layer(ids[0])
	require.NoError(t, err)
	layer, err := s.OpenTar(ids[0])
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, layer.Close()) })
	var head bytes.Buffer
	w := tar.NewWriter(&head)
	v1 := jsonOf(t, obj{"id": topID})
	require.NoError(t, w.WriteHeader(&tar.Header{Name: topID + "/json", Size: int64(len(v1)), Mode: 0o600}))
	_, err = io.WriteString(w, v1)
	require.NoError(t, err)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: topID + "/layer.tar", Size: l.Size, Mode: 0o600}))
	return io.MultiReader(&head, layer, bytes.NewReader(make([]byte, 1024)))
}

// packed compresses a stream on the way.
func packed(t testing.TB, r io.Reader) io.Reader {
	t.Helper()
	out, in := io.Pipe()
	go func() {
		w, _ := gzip.NewWriterLevel(in, gzip.NoCompression)
		_, err := io.Copy(w, r)
		_ = w.Close()
		_ = in.CloseWithError(err)
	}()
	t.Cleanup(func() { _ = out.Close() })
	return out
}

// loadAndRead loads such an archive and reads its layer.
func loadAndRead(t testing.TB, s *image.Store, archive io.Reader) {
	t.Helper()
	loaded, err := s.LoadFrom(t.Context(), archive)
	require.NoError(t, err)
	r, err := s.OpenTar(loaded[0].Image)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
}

// A layer costs the memory of a small one, however large it is. The test is alone:
// what is measured is the whole process.
func TestMemoryIsFlat(t *testing.T) { //nolint:paralleltest // see above
	allocated := func(size int64) int64 {
		s := openAt(t, t.TempDir())
		archive := packed(t, bigArchive(t, s, size))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		loadAndRead(t, s, archive)
		runtime.ReadMemStats(&after)
		return int64(after.TotalAlloc - before.TotalAlloc)
	}
	allocated(1 << 20) // whatever is allocated once
	small, large := allocated(1<<20), allocated(33<<20)
	if more := large - small; more > 256<<10 {
		t.Errorf("32 MiB more of layer allocate %d bytes more", more)
	}
}

// A made-up layer of 2 GiB costs no disk; nor does it take memory.
func TestMadeLayerTakesNoDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openAt(t, dir)
	_, err := s.Make(t.Context(), image.Recipe{Layers: []int64{8 << 20}})
	require.NoError(t, err)
	require.Less(t, sizeOf(t, dir), int64(8<<10))
}

func BenchmarkLoad(b *testing.B) {
	for _, size := range []int64{1 << 20, 256 << 20} {
		b.Run(fmt.Sprintf("%dMiB", size>>20), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(size)
			for b.Loop() {
				b.StopTimer()
				s, err := image.Open(b.TempDir())
				require.NoError(b, err)
				archive := bigArchive(b, s, size)
				b.StartTimer()
				loaded, err := s.LoadFrom(b.Context(), archive)
				require.NoError(b, err)
				b.StopTimer()
				_, err = s.Delete(loaded[0].Image)
				require.NoError(b, err)
				require.NoError(b, s.Close())
				b.StartTimer()
			}
		})
	}
}

func BenchmarkOpenTar(b *testing.B) {
	for _, size := range []int64{1 << 20, 256 << 20} {
		s := openAt(b, b.TempDir())
		made, err := s.Make(b.Context(), image.Recipe{Layers: []int64{size}})
		require.NoError(b, err)
		loaded, err := s.LoadFrom(b.Context(), bigArchive(b, s, size))
		require.NoError(b, err)
		for name, id := range map[string]string{"made": made[0], "kept": loaded[0].Image} {
			b.Run(fmt.Sprintf("%s/%dMiB", name, size>>20), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(size)
				for b.Loop() {
					r, err := s.OpenTar(id)
					require.NoError(b, err)
					_, err = io.Copy(io.Discard, r)
					require.NoError(b, err)
					require.NoError(b, r.Close())
				}
			})
		}
	}
}

func BenchmarkMake(b *testing.B) {
	for _, size := range []int64{1 << 10, 64 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(size)
			s := openAt(b, b.TempDir())
			for b.Loop() {
				_, err := s.Make(b.Context(), image.Recipe{Layers: []int64{size}})
				require.NoError(b, err)
			}
		})
	}
}

func BenchmarkMakeInMemory(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, err := image.InMemory().Make(b.Context(), image.Recipe{Layers: []int64{1 << 10}})
		require.NoError(b, err)
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		s, err := image.Open(dir)
		require.NoError(b, err)
		require.NoError(b, s.Close())
	}
}
