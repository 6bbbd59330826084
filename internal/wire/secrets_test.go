package wire

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestASecretThatSomebodyCutIsMasked: a message that keeps the beginning of a long
// secret, plain or in base64, keeps nothing of it.
func TestASecretThatSomebodyCutIsMasked(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("aBcD1-eFgH2_", 12)
	s := NewScrubber(secret)
	basic := base64.StdEncoding.EncodeToString([]byte("alice:" + secret))
	for _, row := range []struct{ text, want string }{
		{"said " + secret[:24] + "…", "said ***…"},
		{"said " + secret[:100] + "… and " + secret, "said ***… and ***"},
		{"Basic " + basic[:64] + "…", "Basic ***…"},
		{"said " + secret[:8], "said " + secret[:8]}, // so little gives nothing away, and may stand anywhere
	} {
		require.Equal(t, row.want, s.Secrets(row.text))
	}
}

// TestACookieThatAnErrorQuotesIsMasked: net/http quotes the line of a header that is
// none.
func TestACookieThatAnErrorQuotesIsMasked(t *testing.T) {
	t.Parallel()
	text := `malformed MIME header line: "Set-Cookie: session=abc\x1b"`
	const want = `malformed MIME header line: "Set-Cookie: COOKIE"`
	require.Equal(t, want, ScrubMessage(text))
	require.Equal(t, want, NewScrubber().Exchange(Exchange{Err: text}).Err)
}
