package conformance

import (
	"encoding/json"
	"slices"
)

// An errorBody is the body of an error as the specification has it.
type errorBody struct {
	Errors []struct {
		Code    string          `json:"code"`
		Message string          `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	} `json:"errors"`
}

// codes are the codes of an answer's error body; nil when it is none.
func (a *answer) codes() []string {
	if a.status < 400 {
		return nil
	}
	var body errorBody
	if json.Unmarshal(a.body, &body) != nil {
		return nil
	}
	var codes []string
	for _, e := range body.Errors {
		codes = append(codes, e.Code)
	}
	return codes
}

// hasCode demands that an error carries one of some codes.
func (a *answer) hasCode(codes ...string) error {
	got := a.codes()
	for _, c := range codes {
		if slices.Contains(got, c) {
			return nil
		}
	}
	return a.violation("an error with code "+joinOr(codes), a.said())
}

func joinOr(words []string) string {
	text := ""
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			text += " or "
		default:
			text += ", "
		}
		text += w
	}
	return text
}

// knownCodes are the codes of the specification, and the two that registries had
// before it and still send.
func knownCodes() []string {
	return []string{
		"BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN",
		"MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED",
		"DENIED", "UNSUPPORTED", "TOOMANYREQUESTS", "TAG_INVALID", "MANIFEST_UNVERIFIED",
	}
}
