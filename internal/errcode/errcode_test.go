package errcode_test

import (
	"errors"
	"testing"

	"github.com/pushcheck/pushcheck/internal/errcode"
)

func TestDecodeDocker18(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, body, want string }{
		{"an error with its own message", `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, "unauthorized: authentication required"},
		{"the default message is a bare code", `{"errors":[{"code":"TAG_INVALID","message":"manifest tag did not match URI"}]}`, "TAG_INVALID"},
		{"no message is a bare code", `{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}`, "MANIFEST_BLOB_UNKNOWN"},
		{"detail null is none", `{"errors":[{"code":"TAG_INVALID","detail":null}]}`, "TAG_INVALID"},
		{"detail makes it full", `{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry","detail":{}}]}`, "manifest blob unknown: blob unknown to registry"},
		{"detail and no message", `{"errors":[{"code":"TAG_INVALID","detail":1}]}`, "tag invalid: "},
		{"an unknown code", `{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}`, "unknown: slow down"},
		{"an unknown code with the default message", `{"errors":[{"code":"QUOTA","message":"unknown error"}]}`, "UNKNOWN"},
		{"no code", `{"errors":[{"message":"x"}]}`, "unknown: x"},
		{"a code in lower case", `{"errors":[{"code":"tag_invalid","message":"x"}]}`, "unknown: x"},
		{"keys in any case", `{"Errors":[{"Code":"TAG_INVALID","MESSAGE":"x"}]}`, "tag invalid: x"},
		{"two", `{"errors":[{"code":"TAG_INVALID"},{"code":"NAME_INVALID","message":"x"}]}`, "errors:\nTAG_INVALID\nname invalid: x\n"},
		{"none", `{"errors":[]}`, "<nil>"},
		{"no list", `{}`, "<nil>"},
		{"null", `null`, "<nil>"},
		{"other keys", `{"details":"x"}`, "<nil>"},
	}
	for _, tt := range tests {
		es, err := errcode.Docker18().Decode([]byte(tt.body))
		if err != nil || es.Error() != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.name, es.Error(), err, tt.want)
		}
	}
}

// The texts are encoding/json's, which show the names of types.
func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		``:                        "unexpected end of JSON input",
		`{"errors":`:              "unexpected end of JSON input",
		`404 page not found`:      "invalid character 'p' after top-level value",
		`Method not allowed`:      "invalid character 'M' looking for beginning of value",
		`<html>`:                  "invalid character '<' looking for beginning of value",
		`"no"`:                    "json: cannot unmarshal string into Go value of type struct { Errors []errcode.Error }",
		`{"errors":"no"}`:         "json: cannot unmarshal string into Go struct field .Errors of type []errcode.Error",
		`{"errors":[{"code":1}]}`: "json: cannot unmarshal number into Go struct field Error.Errors.code of type errcode.ErrorCode",
	}
	for body, want := range tests {
		if _, err := errcode.Docker18().Decode([]byte(body)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

func TestIs(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"errors":[{"code":"TAG_INVALID"}]}`, `{"errors":[{"code":"NAME_INVALID"},{"code":"TAG_INVALID","message":"x"}]}`} {
		es, err := errcode.Docker18().Decode([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if !errors.Is(es, errcode.ErrorCode("TAG_INVALID")) || errors.Is(es, errcode.ErrorCode("DENIED")) {
			t.Errorf("%s: errors.Is does not tell", body)
		}
	}
}
