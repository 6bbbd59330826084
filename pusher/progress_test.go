package pusher

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/pusher/image"
)

func TestProgressReader(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		total int64
		in    io.Reader
		buf   int
		want  []int64
	}{
		{"every read, and twice at the end", 1000, strings.NewReader(strings.Repeat("x", 30)), 11, []int64{11, 22, 30, 30}},
		{"the end comes with the last bytes", 1000, iotest.DataErrReader(strings.NewReader(strings.Repeat("x", 30))), 11, []int64{11, 22, 30}},
		{"a percent exactly is not enough", 1000, strings.NewReader(strings.Repeat("x", 30)), 10, []int64{20, 30, 30}},
		{"without a total every 512 KiB", 0, strings.NewReader(strings.Repeat("x", 1<<20+1)), 256 << 10, []int64{768 << 10, 1<<20 + 1, 1<<20 + 1}},
		{"nothing", 0, strings.NewReader(""), 10, []int64{0, 0}},
		{"a failure", 1000, io.MultiReader(strings.NewReader("xx"), iotest.ErrReader(errors.New("torn"))), 10, []int64{2, 2}},
	}
	for _, tt := range tests {
		var got []int64
		r := newProgressReader(tt.in, tt.total, "0123456789abcdef", "Pushing", func(e Event) {
			if e.ID != "0123456789ab" || e.Status != "Pushing" || e.Total != tt.total || !e.Action {
				t.Errorf("%s: %+v", tt.name, e)
			}
			got = append(got, e.Current)
		})
		buf := make([]byte, tt.buf)
		for err := error(nil); err == nil; {
			_, err = r.Read(buf)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestWholeReader: the first read tells of everything, the bytes and the events
// are the same.
func TestWholeReader(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 100, copyBuffer - 1, copyBuffer} {
		content := strings.Repeat("x", size)
		var plain, whole []int64
		record := func(to *[]int64) func(Event) { return func(e Event) { *to = append(*to, e.Current) } }
		buf := make([]byte, copyBuffer)
		reference := newProgressReader(strings.NewReader(content), int64(size), "", "", record(&plain))
		for err := error(nil); err == nil; {
			_, err = reference.Read(buf)
		}
		r := &wholeReader{in: newProgressReader(strings.NewReader(content), int64(size), "", "", record(&whole))}
		n, err := r.Read(buf)
		if diff := cmp.Diff(plain, whole); diff != "" {
			t.Errorf("%d bytes, events after the first read (-want +got):\n%s", size, diff)
		}
		if n != size || (size == 0) != (err != nil) {
			t.Errorf("%d bytes: read %d, %v", size, n, err)
		}
		if rest, err := io.ReadAll(r); len(rest) != 0 || err != nil {
			t.Errorf("%d bytes: %d more, %v", size, len(rest), err)
		}
	}
	torn := &wholeReader{in: io.MultiReader(strings.NewReader("xx"), iotest.ErrReader(errors.New("torn")))}
	if got, err := io.ReadAll(torn); string(got) != "xx" || err == nil || err.Error() != "torn" {
		t.Errorf("read %q, %v", got, err)
	}
}

// TestReporterClosed: nothing is told once the push returned.
func TestReporterClosed(t *testing.T) {
	t.Parallel()
	n := 0
	r := &reporter{handle: func(Event) { n++ }}
	r.report(Event{})
	r.close()
	r.report(Event{})
	if n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

// TestBufferCancelled: buffering ends with the context, not with the layer.
func TestBufferCancelled(t *testing.T) {
	t.Parallel()
	store, err := image.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	ids, err := store.Make(t.Context(), image.Recipe{Layers: []int64{0}})
	if err != nil {
		t.Fatal(err)
	}
	layer, err := store.Layer(ids[0])
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	temp := t.TempDir()
	r := &repository{job: &Job{Images: store, TempDir: temp}}
	if _, err := r.buffer(ctx, layer); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("temporary files left: %v, %v", left, err)
	}
}
