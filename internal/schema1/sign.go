package schema1

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/docker/libtrust"
	"github.com/opencontainers/go-digest"
)

// Errors that a caller may want to tell apart. The texts are libtrust's own
// (P-281, P-288).
var (
	ErrInvalidContent   = libtrust.ErrInvalidJSONContent  // cannot be signed
	ErrMissingSignature = libtrust.ErrMissingSignatureKey // not a signed document

	errFormatLength = errors.New("invalid format length")
)

// Sign signs a document and returns the signed form, indented as the document
// is (P-285). The signature carries the present time in whole seconds, so two
// signatures of one document differ; their payloads do not.
//
// Errors: ErrInvalidContent when the document does not end in a brace after a
// member; encoding/json's when it is no JSON object.
func Sign(unsigned []byte, key libtrust.PrivateKey) (signed []byte, err error) {
	// libtrust takes an empty object and makes a document of it that is no JSON.
	body := bytes.TrimSpace(unsigned)
	if inner, ok := bytes.CutPrefix(body, []byte("{")); ok && bytes.Equal(bytes.TrimSpace(inner), []byte("}")) {
		return nil, ErrInvalidContent
	}
	js, err := libtrust.NewJSONSignature(unsigned)
	if err != nil {
		return nil, err
	}
	if err := js.Sign(key); err != nil {
		return nil, fmt.Errorf("sign schema 1 manifest: %w", err)
	}
	return js.PrettySignature(signatureKey)
}

// Verify checks every signature of a signed document and returns the keys that
// made them. It does not care whose keys they are (P-290), and a document with
// an empty list of signatures verifies with no keys (P-289).
//
// Errors: ErrMissingSignature and the others of P-288, in libtrust's words.
func Verify(signed []byte) ([]libtrust.PublicKey, error) {
	js, err := parse(signed)
	if err != nil {
		return nil, err
	}
	return js.Verify()
}

// Payload is the document as it was before it was signed. It checks no
// signature.
//
// Errors: as Verify's, but for those of the signatures themselves.
func Payload(signed []byte) ([]byte, error) {
	js, err := parse(signed)
	if err != nil {
		return nil, err
	}
	return js.Payload()
}

// Digest is the digest of a signed document's payload and the payload's length
// in bytes. Where no payload can be recovered both are those of the whole
// document (P-287).
func Digest(signed []byte) (digest.Digest, int64) {
	payload, err := Payload(signed)
	if err != nil {
		payload = signed
	}
	return digest.FromBytes(payload), int64(len(payload))
}

func parse(signed []byte) (*libtrust.JSONSignature, error) {
	if err := checkFormatLengths(signed); err != nil {
		return nil, err
	}
	return libtrust.ParsePrettySignature(signed, signatureKey)
}

// checkFormatLengths refuses a format length below zero, or too large for an
// int, at which libtrust would panic. Whatever else is wrong is left for
// libtrust to say.
func checkFormatLengths(signed []byte) error {
	var document map[string]json.RawMessage
	var signatures []struct {
		Protected string `json:"protected"`
	}
	if json.Unmarshal(signed, &document) != nil || json.Unmarshal(document[signatureKey], &signatures) != nil {
		return nil // libtrust has the words for it
	}
	for _, s := range signatures {
		var protected map[string]any
		if header, err := decodeURL(s.Protected); err != nil || json.Unmarshal(header, &protected) != nil {
			continue
		}
		if n, ok := protected["formatLength"].(float64); ok && (n < 0 || n > float64(len(signed))) {
			return errFormatLength
		}
	}
	return nil
}

// decodeURL decodes base64url without padding, passing over blanks and newlines
// as libtrust does.
func decodeURL(s string) ([]byte, error) {
	s = strings.NewReplacer("\n", "", " ", "").Replace(s)
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
}
