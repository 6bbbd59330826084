package wire

import (
	"bytes"
	"encoding/json"
	"strings"
)

func looksJSON(head []byte) bool {
	t := bytes.TrimLeft(head, " \t\r\n")
	return len(t) > 0 && (t[0] == '{' || t[0] == '[')
}

// isSigned reports whether the start of a manifest is that of a schema 1, which
// carries its signatures at the end.
func isSigned(head []byte) bool {
	return looksJSON(head) && (bytes.Contains(head, []byte(`"fsLayers"`)) || bytes.Contains(head, []byte(`"signatures"`)))
}

// jsonMask is what stands for the value of a key; "" when the value may stay.
func jsonMask(key string) string {
	switch strings.ToLower(key) {
	case "token", "access_token", "refresh_token", "id_token", "identitytoken", "registrytoken":
		return maskToken
	case "password", "passwd", "secret", "client_secret":
		return maskPassword
	case "auth", "credentials":
		return maskCredentials
	case "_state":
		return maskState
	case "issued_at":
		return maskDate
	}
	return ""
}

// signatureMask is jsonMask for what follows "signatures": the parts of a JWS
// that differ with key and time. Their lengths do not.
func signatureMask(key string) string {
	switch key {
	case "signature":
		return maskSignature
	case "protected", "kid", "x", "y":
		return strings.ToUpper(key)
	}
	return ""
}

// scrubJSON masks values by their keys. It takes what is no JSON, or only the
// start of one, as it comes.
func scrubJSON(head []byte) []byte {
	signed := false
	return walkJSON(head, func(key, _ string) string {
		if key == "signatures" {
			signed = true
		}
		if mask := jsonMask(key); mask != "" || !signed {
			return mask
		}
		return signatureMask(key)
	})
}

// walkJSON calls visit with every key and, where it is a scalar, its value; what
// visit returns, unless "", replaces a scalar value as a string.
func walkJSON(src []byte, visit func(key, value string) string) []byte {
	var out bytes.Buffer
	out.Grow(len(src))
	for i := 0; i < len(src); {
		if src[i] != '"' {
			out.WriteByte(src[i])
			i++
			continue
		}
		end := stringEnd(src, i)
		colon := skipSpace(src, end)
		out.Write(src[i:end])
		if colon >= len(src) || src[colon] != ':' {
			i = end
			continue
		}
		start := skipSpace(src, colon+1)
		out.Write(src[end:start])
		stop := scalarEnd(src, start)
		if mask := visit(unquoteJSON(src[i:end]), unquoteJSON(src[start:stop])); mask != "" && stop > start {
			out.WriteString(`"` + mask + `"`)
		} else {
			out.Write(src[start:stop])
		}
		i = stop
	}
	return out.Bytes()
}

// stringEnd is the index after the string that begins at i, or the end of src.
func stringEnd(src []byte, i int) int {
	for j := i + 1; j < len(src); j++ {
		switch src[j] {
		case '\\':
			j++
		case '"':
			return j + 1
		}
	}
	return len(src)
}

// scalarEnd is the index after the scalar that begins at i; i when an object, an
// array or nothing does.
func scalarEnd(src []byte, i int) int {
	if i >= len(src) || src[i] == '{' || src[i] == '[' {
		return i
	}
	if src[i] == '"' {
		return stringEnd(src, i)
	}
	j := i
	for j < len(src) && !bytes.ContainsRune([]byte(",}] \t\r\n\""), rune(src[j])) {
		j++
	}
	return j
}

func skipSpace(src []byte, i int) int {
	for i < len(src) && (src[i] == ' ' || src[i] == '\t' || src[i] == '\r' || src[i] == '\n') {
		i++
	}
	return i
}

func unquoteJSON(raw []byte) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return strings.Trim(string(raw), `"`)
}
