package metadata_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher/metadata"
)

var (
	diffID = digest.FromString("tar")
	blob   = digest.FromString("gzip")
)

func entry(repository string) metadata.Entry {
	return metadata.Entry{Digest: blob, SourceRepository: repository}
}

func TestEntriesAreKeptInTheirOrderAcrossOpens(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "distribution")
	s := metadata.Open(dir)
	require.Empty(t, s.Entries(diffID))
	for _, name := range []string{"r/a", "r/b", "r/c", "r/a"} {
		require.NoError(t, s.Add(diffID, entry(name)))
	}
	require.NoError(t, metadata.Open(dir).Remove(entry("r/b")))
	if d := cmp.Diff([]metadata.Entry{entry("r/c"), entry("r/a")}, metadata.Open(dir).Entries(diffID)); d != "" {
		t.Error(d)
	}
	require.NoError(t, metadata.Open(dir).Remove(metadata.Entry{Digest: digest.FromString("unheard of")}))
	require.NoError(t, metadata.Open(dir).Forget(diffID))
	require.Empty(t, metadata.Open(dir).Entries(diffID))
}

func TestTheOldestEntriesAreDropped(t *testing.T) {
	t.Parallel()
	s := metadata.InMemory()
	for i := range 53 {
		require.NoError(t, s.Add(diffID, entry(fmt.Sprint(i))))
	}
	list := s.Entries(diffID)
	require.Len(t, list, 50)
	require.Equal(t, entry("3"), list[0])
	require.Equal(t, entry("52"), list[49])
}

func TestWhatCannotBeReadIsNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, metadata.Open(dir).Add(diffID, entry("r/a")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "v2metadata-by-diffid", "sha256", diffID.Encoded()), []byte("["), 0o600))
	require.Empty(t, metadata.Open(dir).Entries(diffID))
	require.Error(t, metadata.Open(dir).Add("../../x", entry("r/a")))
}

func TestKeysTieEntriesToCredentials(t *testing.T) {
	t.Parallel()
	key := metadata.Key("sha256:one")
	signed := key.Sign(entry("r/a"))
	mac := hmac.New(sha256.New, []byte("sha256:one"))
	fmt.Fprint(mac, blob, "r/a")
	require.Equal(t, hex.EncodeToString(mac.Sum(nil)), signed.HMAC)
	require.True(t, key.Matches(signed))
	require.False(t, metadata.Key("sha256:two").Matches(signed))
	require.False(t, key.Matches(entry("r/a")))
	require.False(t, metadata.Key(nil).Matches(signed))
	require.True(t, metadata.Key(nil).Matches(entry("r/a")))
	require.Equal(t, entry("r/a"), metadata.Key(nil).Sign(signed))
}
