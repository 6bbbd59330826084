package schema1_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/libtrust"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/schema1"
)

// Signed manifests that real clients pushed to Debian's docker-registry 2.8.2,
// with what that registry answered as Docker-Content-Digest.
var vectors = []struct {
	signed, payload string // files; payload "" when the client printed none
	digest          digest.Digest
	size            int64
	kid             string
}{
	{"docker-1.8.3-latest.signed.json", "docker-1.8.3-latest.payload.json", "sha256:87ebe2d3daff342a83fda09bf68f55bf43d48b12bf2a4b445b79fb34ab880f26", 4544, "3BY3:JT2B:2Y5H:EL5G:6JPI:PDMC:UTAC:E766:XGSI:64PH:L4VY:2OI4"},
	{"docker-1.8.3-two.signed.json", "docker-1.8.3-two.payload.json", "sha256:dc80706b40c43715903a980625570458a2b1488fe3433efee462f9818bbda012", 3257, "3BY3:JT2B:2Y5H:EL5G:6JPI:PDMC:UTAC:E766:XGSI:64PH:L4VY:2OI4"},
	{"dockerd-20.10.24.signed.json", "", "sha256:dbd26025464239fb940fca40212bbf96f32e068d7fcc5eed087ac39722319f0a", 1719, "IMKW:C5IU:2PDD:UF4U:7GSV:EQF5:CWAA:B55Q:P56M:3KCX:QXA2:XPZX"},
	{"skopeo-1.9.3.signed.json", "", "sha256:cd511adab9134f49127bff60c244492285ddf46ae650ea6a6e1de725b577fcaf", 1480, "DRVV:LK7W:2QYT:5V2P:JAIG:ZN27:QI4J:RFKK:LARV:ERTN:FKKH:PBIF"},
}

func TestManifestsOfOthers(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		t.Run(v.signed, func(t *testing.T) {
			t.Parallel()
			signed := read(t, v.signed)

			keys, err := schema1.Verify(signed)
			require.NoError(t, err)
			require.Len(t, keys, 1)
			require.Equal(t, v.kid, keys[0].KeyID())

			d, size := schema1.Digest(signed)
			require.Equal(t, v.digest, d)
			require.Equal(t, v.size, size)

			if v.payload != "" {
				payload, err := schema1.Payload(signed)
				require.NoError(t, err)
				require.Empty(t, cmp.Diff(string(read(t, v.payload)), string(payload)))
			}
		})
	}
}

// What docker 1.8.3 wrote comes out of Encode byte for byte (P-280).
func TestEncodeAsDocker(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"docker-1.8.3-latest.payload.json", "docker-1.8.3-two.payload.json"} {
		want := read(t, file)
		m, err := schema1.Decode(want)
		require.NoError(t, err)
		got, err := m.Encode()
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(string(want), string(got)))
	}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	got, err := schema1.Manifest{SchemaVersion: 1, Name: "a", History: []schema1.History{{V1Compatibility: "<&>\u2028"}}}.Encode()
	require.NoError(t, err)
	require.Equal(t, `{
   "schemaVersion": 1,
   "name": "a",
   "tag": "",
   "architecture": "",
   "fsLayers": [],
   "history": [
      {
         "v1Compatibility": "\u003c\u0026\u003e\u2028"
      }
   ]
}`, string(got))
	got, err = schema1.Manifest{FSLayers: []schema1.FSLayer{{BlobSum: "sha256:aa"}}}.Encode()
	require.NoError(t, err)
	require.Contains(t, string(got), `"history": []`)
	_, err = schema1.Decode([]byte("{"))
	require.EqualError(t, err, "schema 1 manifest: unexpected end of JSON input")
}

// The signed form is the payload with the signatures put in (P-281 to P-285).
func TestSign(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	for name, document := range map[string]string{
		"indented by three":   "{\n   \"name\": \"a\"\n}",
		"indented by a tab":   "{\n\t\"name\": \"a\"\n}",
		"compact":             `{"name":"a"}`,
		"with blanks at ends": "  {\"name\": \"a\"  }\n\n",
	} {
		signed, err := schema1.Sign([]byte(document), key)
		require.NoError(t, err, name)
		require.True(t, json.Valid(signed), "%s: %s", name, signed)
		payload, err := schema1.Payload(signed)
		require.NoError(t, err, name)
		require.Equal(t, document, string(payload), name)
		keys, err := schema1.Verify(signed)
		require.NoError(t, err, name)
		require.Equal(t, key.KeyID(), keys[0].KeyID(), name)
	}
	for _, document := range []string{"", "[]", `{"a":1,}`, "{}", " { } ", "null"} {
		_, err := schema1.Sign([]byte(document), key)
		require.Error(t, err, "%q", document)
	}
	_, err := schema1.Sign([]byte("{}"), key)
	require.ErrorIs(t, err, schema1.ErrInvalidContent)
}

// The protected header of a signature, and its key, as docker writes them
// (P-282, P-283).
func TestSignatureEntry(t *testing.T) {
	t.Parallel()
	payload := read(t, "docker-1.8.3-two.payload.json")
	signed, err := schema1.Sign(payload, newKey(t))
	require.NoError(t, err)
	other := read(t, "docker-1.8.3-two.signed.json")
	before, _, found := bytes.Cut(other, []byte(`"kid"`))
	require.True(t, found)
	require.True(t, bytes.HasPrefix(signed, before), "%s", signed[3255:])

	ours, theirs := signatures(t, signed), signatures(t, other)
	require.Equal(t, shape(ours[0].Header), shape(theirs[0].Header))
	require.Len(t, ours[0].Signature, len(theirs[0].Signature))
	header, err := base64.RawURLEncoding.DecodeString(ours[0].Protected)
	require.NoError(t, err)
	require.Regexp(t, `^\{"formatLength":3255,"formatTail":"Cn0","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"\}$`, string(header))
}

// What the parsing of a signed form says of one that is wrong (P-288, P-289, P-564).
func TestRefused(t *testing.T) {
	t.Parallel()
	signed := string(read(t, "docker-1.8.3-two.signed.json"))
	entry := signatures(t, []byte(signed))[0]
	protect := func(header string) string {
		return strings.Replace(signed, entry.Protected, base64.RawURLEncoding.EncodeToString([]byte(header)), 1)
	}
	compact := &bytes.Buffer{}
	require.NoError(t, json.Compact(compact, []byte(signed)))
	for _, c := range []struct{ name, document, want string }{
		{"cut off", signed[:len(signed)-1], "error unmarshalling content: unexpected end of JSON input"},
		{"unsigned", string(read(t, "docker-1.8.3-two.payload.json")), "missing signature key"},
		{"signatures are a string", `{"signatures":"x"}`, "error unmarshalling signatures: json: cannot unmarshal string into Go value of type []libtrust.jsParsedSignature"},
		{"protected header is no base64", strings.Replace(signed, entry.Protected, "!", 1), "base64 decode error: illegal base64url string"},
		{"protected header is no JSON", protect("{"), "error unmarshalling protected header: unexpected end of JSON input"},
		{"no length", protect(`{"formatTail":"Cn0"}`), "missing formatted length"},
		{"no tail", protect(`{"formatLength":3255}`), "missing formatted tail"},
		{"length too large", protect(`{"formatLength":999999,"formatTail":"Cn0"}`), "invalid format length"},
		{"length beyond an int", protect(`{"formatLength":1e300,"formatTail":"Cn0"}`), "invalid format length"},
		{"length below zero", protect(`{"formatLength":-9,"formatTail":"Cn0"}`), "invalid format length"},
		{"key ID of another", strings.Replace(signed, "3BY3:", "3BY4:", 1), "error unmarshalling public key: JWK EC Public Key ID does not match: 3BY4:JT2B:2Y5H:EL5G:6JPI:PDMC:UTAC:E766:XGSI:64PH:L4VY:2OI4"},
		{"signature too short", strings.Replace(signed, entry.Signature, entry.Signature[4:], 1), "signature length is 61 octets long, should be 64"},
		{"no key", strings.Replace(signed, `"jwk"`, `"jwt"`, 1), "missing public key"},
		{"content changed", strings.Replace(signed, `"two"`, `"tow"`, 1), "invalid signature"},
		{"re-serialised", compact.String(), "invalid signature"},
	} {
		_, err := schema1.Verify([]byte(c.document))
		require.EqualError(t, err, c.want, c.name)
	}
	two := signatures(t, []byte(signed))
	for header, want := range map[string]string{
		`{"formatLength":3254,"formatTail":"Cn0"}`: "conflicting format length",
		`{"formatLength":3255,"formatTail":"fQ"}`:  "conflicting format tail",
	} {
		other := two[0]
		other.Protected = base64.RawURLEncoding.EncodeToString([]byte(header))
		list, err := json.Marshal([]signature{two[0], other})
		require.NoError(t, err)
		_, err = schema1.Verify([]byte(signed[:3255] + `,"signatures":` + string(list) + "}"))
		require.EqualError(t, err, want)
	}
}

// An empty list of signatures verifies, with no keys and an empty payload (P-289).
func TestNoSignatures(t *testing.T) {
	t.Parallel()
	document := []byte(`{"name":"a","signatures":[]}`)
	keys, err := schema1.Verify(document)
	require.NoError(t, err)
	require.Empty(t, keys)
	payload, err := schema1.Payload(document)
	require.NoError(t, err)
	require.Empty(t, payload)
}

// Without a payload the digest is the whole document's (P-287).
func TestDigestOfUnsigned(t *testing.T) {
	t.Parallel()
	d, size := schema1.Digest([]byte(`{"a":1}`))
	require.Equal(t, digest.FromString(`{"a":1}`), d)
	require.EqualValues(t, 7, size)
}

type signature struct {
	Header    json.RawMessage `json:"header"`
	Signature string          `json:"signature"`
	Protected string          `json:"protected"`
}

func signatures(t *testing.T, signed []byte) []signature {
	t.Helper()
	var document struct {
		Signatures []signature `json:"signatures"`
	}
	require.NoError(t, json.Unmarshal(signed, &document))
	return document.Signatures
}

// shape is the JSON's text with every value's length and without its content.
func shape(raw json.RawMessage) string {
	inside, value := false, false
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			inside = !inside
		case !inside && r == ':':
			value = true
		case !inside && (r == ',' || r == '{'):
			value = false
		case inside && value:
			return '.'
		}
		return r
	}, string(raw))
}

func newKey(t testing.TB) libtrust.PrivateKey {
	t.Helper()
	key, err := libtrust.GenerateECP256PrivateKey()
	require.NoError(t, err)
	return key
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	return b
}
