package schema1_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/schema1"
)

// FuzzSchema1: what can be signed verifies and gives the same payload and digest
// back; what others signed never breaks the reader, and what verifies with a key
// has a payload that is a prefix of the document but for its tail.
func FuzzSchema1(f *testing.F) {
	for _, v := range vectors {
		f.Add(read(f, v.signed))
	}
	f.Add(read(f, "docker-1.8.3-two.payload.json"))
	f.Add([]byte(`{"a":1}`))
	f.Add([]byte("{\n \"a\": [ ] \n }\n"))
	key := newKey(f)
	f.Fuzz(func(t *testing.T, document []byte) {
		if keys, err := schema1.Verify(document); err == nil && len(keys) > 0 {
			payload, err := schema1.Payload(document)
			if err != nil {
				t.Fatalf("verifies but has no payload: %v", err)
			}
			if d, n := schema1.Digest(document); d != digest.FromBytes(payload) || n != int64(len(payload)) {
				t.Fatalf("digest %s of %d bytes is not the payload's", d, n)
			}
		}
		signed, err := schema1.Sign(document, key)
		if err != nil {
			return
		}
		var probe map[string]json.RawMessage
		if json.Unmarshal(document, &probe) != nil {
			t.Fatalf("signed what is no JSON object: %q", document)
		}
		if _, taken := probe["signatures"]; taken {
			return // which of the two lists counts is up to the reader
		}
		if keys, err := schema1.Verify(signed); err != nil || len(keys) != 1 || keys[0].KeyID() != key.KeyID() {
			t.Fatalf("does not verify: %v, %d keys", err, len(keys))
		}
		payload, err := schema1.Payload(signed)
		if err != nil || !bytes.Equal(payload, document) {
			t.Fatalf("payload %q (%v), signed %q", payload, err, document)
		}
		if d, _ := schema1.Digest(signed); d != digest.FromBytes(document) {
			t.Fatalf("digest %s, want %s", d, digest.FromBytes(document))
		}
	})
}
