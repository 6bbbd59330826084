package metadata_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher/metadata"
)

func TestAJournalHoldsWhatAStoreHolds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "layers", "best")
	s := metadata.OpenJournal(path)
	require.Empty(t, s.Entries(diffID))
	require.NoError(t, s.Close())
	require.NoFileExists(t, path)
	signed := metadata.Key("k").Sign(entry("r/c"))
	for _, e := range []metadata.Entry{entry("r/a"), entry("r/b"), signed, entry("r/a")} {
		require.NoError(t, s.Add(diffID, e))
	}
	other := digest.FromString("other")
	require.NoError(t, s.Add(other, metadata.Entry{Digest: other, SourceRepository: "r/x"}))
	require.NoError(t, s.Close())

	s = metadata.OpenJournal(path)
	require.NoError(t, s.Remove(entry("r/b")))
	require.NoError(t, s.Forget(other))
	require.NoError(t, s.Close())
	s = metadata.OpenJournal(path)
	if d := cmp.Diff([]metadata.Entry{signed, entry("r/a")}, s.Entries(diffID)); d != "" {
		t.Error(d)
	}
	require.Empty(t, s.Entries(other))
}

func TestAJournalThatIsDamagedOrLong(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "best")
	var b strings.Builder
	b.WriteString("+ cut off\n\nwhat is this\n= \n")
	for i := range 1100 {
		fmt.Fprint(&b, "+ ", diffID, " ", blob, " - r/", i%3, "\n")
	}
	b.WriteString("+ " + string(diffID)) // a write that was cut
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	want := []metadata.Entry{entry("r/2"), entry("r/0"), entry("r/1")}
	for range 2 { // as it is, and as it was written anew
		if d := cmp.Diff(want, metadata.OpenJournal(path).Entries(diffID)); d != "" {
			t.Error(d)
		}
	}
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(string(data), "\n"))
}
