package pusher

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/errcode"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// TestSchema2Bytes: the manifest that dockerd 20.10.24 put, and the one of skopeo
// 1.9.3, which differ in their blanks alone, to the byte (P-371).
func TestSchema2Bytes(t *testing.T) {
	t.Parallel()
	config := image.Descriptor{MediaType: mediaConfig, Digest: "sha256:bf06fea50f8313513ec13b567380b301def57902acb1d7f90363222d105c6a46", Size: 708}
	layers := func(parts ...any) []image.Descriptor {
		var list []image.Descriptor
		for i := 0; i < len(parts); i += 2 {
			list = append(list, image.Descriptor{MediaType: mediaLayer, Size: int64(parts[i].(int)), Digest: digest.Digest("sha256:" + parts[i+1].(string))}) //nolint:forcetypeassert // see below
		}
		return list
	}
	docker, err := encodeSchema2(config, layers(
		1049073, "54b905e608fcced731c07b356c2e2207f3e419e300bee0f6787165be97e77a5d",
		3198, "03ab181416fdcf64f020ed01fea0836535f67eeb55d737799160cb8ea9069c6b",
		32, "4f4fb700ef54461cfa02571ae0db9a0dc1e0cdb5577484a6d75e68dc38e8acc1",
		8159, "e50a46f810fea404333f3467925337fd06f9275e2609812e95e66db7aa5ca15d"))
	require.NoError(t, err)
	require.Len(t, docker, 1149)
	require.Equal(t, digest.Digest("sha256:e22c91649b0904fa47764b7cef1e1e53b5d9667e2079b3e5a88d240c03300e70"), digest.FromBytes(docker))
	skopeo, err := encodeSchema2(config, layers(
		1049090, "4cb624fe11ea43c1af784e2f4bb84071d174596a015ed480a6718e66a6e85790",
		3179, "e88a5b5471c1ee1cf2546bfa8b767bc0e405f9600e6bdc1f72ad2bbf341e61cc",
		29, "deb230b21e0d7ef6a0a2d65a19599d4251b5f08888a5155882fbef2ef71e1e11",
		8137, "c90c15215aa6a71636dc17eaa6a3172d553a58217b85d58d78b04009cf8d1a08"))
	require.NoError(t, err)
	compact := new(strings.Builder)
	var value json.RawMessage = skopeo
	require.NoError(t, json.NewEncoder(compact).Encode(value))
	require.Equal(t, digest.Digest("sha256:c2f28693e946492ad6361da23bda3639a345e0ed00e742cab3dfc669abd05ed0"), digest.FromString(strings.TrimSpace(compact.String())))
	none, err := encodeSchema2(config, nil)
	require.NoError(t, err)
	require.Contains(t, string(none), `"layers": []`)
}

// TestEmptyLayer: the bytes are those of the digest that schema 1 names (P-377).
func TestEmptyLayer(t *testing.T) {
	t.Parallel()
	require.Equal(t, image.EmptyLayerBlob, digest.FromBytes(emptyLayer()))
}

// TestFallback: what an attempt over V2 means for the next endpoint (P-104 to P-109).
func TestFallback(t *testing.T) {
	t.Parallel()
	https := Endpoint{URL: "https://r:5000", Version: V2}
	http2, httpsV1 := Endpoint{URL: "http://r:5000", Version: V2}, Endpoint{URL: "https://r:5000", Version: V1}
	refused := func(code errcode.ErrorCode) error { return errcode.Errors{errcode.Error{Code: code, Message: "m"}} }
	attempt := func(stage Stage, err error, confirmed, transport bool) Attempt {
		return Attempt{Endpoint: https, Stage: stage, Err: &StageError{Stage: stage, Err: err}, ConfirmedV2: confirmed, TransportOK: transport}
	}
	for _, tt := range []struct {
		name string
		era  Era
		a    Attempt
		next Endpoint
		want Decision
	}{
		{"nobody there", Docker113(), attempt(StageConnect, errors.New("refused"), false, false), http2, Try},
		{"nobody there, then V1", Docker113(), attempt(StageConnect, errors.New("refused"), false, false), httpsV1, Try},
		{"a full disk", Docker110(), attempt(StageUpload, errors.New("write: no space left on device"), false, true), http2, Stop},
		{"a full disk, later", Docker2010(), attempt(StageUpload, errors.New("write: no space left on device"), false, false), http2, Try},
		{"DENIED", Docker110(), attempt(StagePublish, refused("DENIED"), false, true), http2, Stop},
		{"DENIED of a layer", Docker110(), attempt(StageUpload, &finalError{refused("DENIED")}, false, true), http2, Try},
		{"a bare DENIED", Docker110(), attempt(StagePublish, errcode.Errors{errcode.Spoken("DENIED")}, false, true), http2, Try},
		{"an empty list", Docker110(), attempt(StagePublish, errcode.Errors{}, false, true), http2, Try},
		{"UNAUTHORIZED, TLS worked", Docker110(), attempt(StagePublish, refused("UNAUTHORIZED"), true, true), http2, Try},
		{"UNAUTHORIZED, TLS worked, since 1.11", Docker111(), attempt(StagePublish, refused("UNAUTHORIZED"), true, true), http2, Skip},
		{"UNAUTHORIZED, V2 confirmed", Docker111(), attempt(StagePublish, refused("UNAUTHORIZED"), true, true), httpsV1, Skip},
		{"UNAUTHORIZED, V2 not confirmed", Docker113(), attempt(StagePublish, refused("UNAUTHORIZED"), false, true), httpsV1, Try},
		{"UNAUTHORIZED, docker 28", Docker28(), attempt(StagePublish, refused("UNAUTHORIZED"), false, false), http2, Stop},
		{"no list", Docker28(), attempt(StagePublish, &ResponseError{}, false, false), http2, Try},
		{"a failed V1 push", Docker113(), Attempt{Endpoint: httpsV1, Stage: StageUpload, Err: errors.New("x")}, http2, Stop},
	} {
		if got := tt.era.Policy([]Attempt{tt.a}, tt.next); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	skipped := Attempt{Endpoint: https, Skipped: true}
	require.Equal(t, Try, Docker28().Policy([]Attempt{skipped}, http2))
}

// TestWeigh: what is tried again, and what of an error remains (P-134, P-345, P-346).
func TestWeigh(t *testing.T) {
	t.Parallel()
	full := func(code errcode.ErrorCode) errcode.Errors {
		return errcode.Errors{errcode.Error{Code: code, Message: "m"}}
	}
	wrapped := func(err error) error { return &url.Error{Op: "Post", URL: "http://r", Err: err} }
	for _, tt := range []struct {
		name  string
		era   Era
		err   error
		final bool
		text  string
	}{
		{"a list of several", Docker110(), append(full("DENIED"), full("UNKNOWN")...), true, "denied: m"},
		{"a bare code", Docker2010(), errcode.Errors{errcode.Spoken("DENIED")}, false, "denied"},
		{"too many, 1.11", Docker111(), full("TOOMANYREQUESTS"), false, "toomanyrequests: m"},
		{"too many, 1.12", Docker112(), full("TOOMANYREQUESTS"), true, "toomanyrequests: m"},
		{"name unknown, 1.11", Docker111(), full("NAME_UNKNOWN"), false, "name unknown: m"},
		{"a broken connection", Docker2010(), wrapped(errors.New("reset")), false, "reset"},
		{"no credentials, 1.10", Docker110(), wrapped(&authError{errNoBasic}), false, "no basic auth credentials"},
		{"no credentials, 1.11", Docker111(), wrapped(&authError{errNoBasic}), true, "no basic auth credentials"},
		{"a refused token", Docker2010(), wrapped(&authError{&tokenStatusError{said: full("UNAUTHORIZED")}}), true, "unauthorized: m"},
		{"blob unknown, 1.12", Docker112(), ErrBlobUnknown, false, "unknown blob"},
		{"blob unknown, 1.13", Docker113(), ErrBlobUnknown, true, "unknown blob"},
		{"upload unknown", Docker113(), ErrBlobUploadUnknown, false, "blob upload unknown"},
		{"no list", Docker113(), &ResponseError{text: "x"}, true, "x"},
		{"a server error", Docker113(), &StatusError{Code: 500, text: "y"}, false, "y"},
		{"a full disk", Docker112(), errors.New("no space left on device"), true, "no space left on device"},
	} {
		got := tt.era.Layers.Retry.weigh(tt.err)
		var final *finalError
		if errors.As(got, &final) != tt.final || got.Error() != tt.text {
			t.Errorf("%s: final %t, %q; want %t, %q", tt.name, final != nil, got, tt.final, tt.text)
		}
	}
}

// TestErrorTexts: what each docker makes of an answer (P-250 to P-259).
func TestErrorTexts(t *testing.T) {
	t.Parallel()
	const denied = `{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}`
	for _, tt := range []struct {
		status     int
		kind, body string
		challenge  string
		want       []string // of 1.9, 1.10, 1.11, 1.12, 1.13, 20.10, 28; the last repeats
	}{
		{status: 400, kind: "application/json", body: `{"errors":[{"code":"TAG_INVALID"}]}`, want: []string{"TAG_INVALID", "tag invalid"}},
		{status: 403, kind: "application/json", body: denied, want: []string{"unknown: requested access to the resource is denied", "denied"}},
		{status: 404, kind: "text/plain", body: "404 page not found", want: []string{
			`Error parsing HTTP response: invalid character 'p' after top-level value: "404 page not found"`,
			`Error parsing HTTP response: invalid character 'p' after top-level value: "404 page not found"`,
			`error parsing HTTP 404 response body: invalid character 'p' after top-level value: "404 page not found"`, "", "", "",
			"unknown: 404 page not found",
		}},
		{status: 403, want: []string{
			`Error parsing HTTP response: unexpected end of JSON input: ""`, "",
			`error parsing HTTP 403 response body: unexpected end of JSON input: ""`, "", "", "", "denied: ",
		}},
		{status: 401, kind: "text/html", body: "<html>", want: []string{
			"unauthorized: access to the requested resource is not authorized", "unauthorized: authentication required", "", "", "", "", "unauthorized: <html>",
		}},
		{status: 400, kind: "application/json", body: "{}", want: []string{
			"<nil>", "<nil>", `error parsing HTTP 400 response body: no error details found in HTTP response body: "{}"`,
		}},
		{status: 429, kind: "application/json", body: `{"details":"slow"}`, want: []string{"<nil>", "unknown: slow", "unknown: slow", "toomanyrequests: slow"}},
		{status: 403, kind: "application/json", body: `{"details":"no"}`, want: []string{"<nil>", "unknown: no", "", "", "", "denied: no"}},
		{status: 503, kind: "application/json", body: denied, want: []string{
			"Received unexpected HTTP status: 503 Service Unavailable", "", "received unexpected HTTP status: 503 Service Unavailable",
		}},
		{status: 401, kind: "application/json", body: denied, challenge: `Bearer realm="r",error="insufficient_scope"`, want: []string{
			"unknown: requested access to the resource is denied", "denied", "", "",
			"errors:\ndenied: requested access to the resource is denied\ndenied\n",
		}},
	} {
		want := ""
		for i, era := range Eras()[1:8] {
			if i < len(tt.want) && tt.want[i] != "" {
				want = tt.want[i]
			}
			resp := reply(&http.Request{}, tt.status, tt.body)
			resp.Status = fmt.Sprintf("%d %s", tt.status, http.StatusText(tt.status))
			resp.Header = http.Header{}
			if tt.kind != "" {
				resp.Header.Set("Content-Type", tt.kind)
			}
			if tt.challenge != "" {
				resp.Header.Set("WWW-Authenticate", tt.challenge)
			}
			if got := responseError(resp, era.Errors).Error(); got != want {
				t.Errorf("%d %q, %s: %s\nwant %s", tt.status, tt.body, era.Name, got, want)
			}
		}
	}
}

// TestRepairChain: docker 1.9 makes parents fit (P-221, P-571).
func TestRepairChain(t *testing.T) {
	t.Parallel()
	layers := func(json ...string) []schema1Layer {
		var list []schema1Layer
		for _, j := range json {
			list = append(list, schema1Layer{V1JSON: []byte(j)})
		}
		return list
	}
	for _, tt := range []struct {
		in, want []schema1Layer
		err      string
	}{
		{in: layers(`{"x":1,"id":"b","parent":"a"}`, `{"id":"a"}`), want: layers(`{"x":1,"id":"b","parent":"a"}`, `{"id":"a"}`)},
		{in: layers(`{"x":1,"parent":"z","id":"b"}`, `{"parent":"y","id":"a"}`), want: layers(`{"id":"b","parent":"a","x":1}`, `{"id":"a"}`)},
		{in: layers(`{"id":"b"}`, `{"id":"a"}`), err: "missing parent key in v1compatibility file"},
		{in: layers(`{}`), err: "missing id key in v1compatibility file"},
	} {
		err := repairChain(tt.in)
		if tt.err != "" {
			require.EqualError(t, err, tt.err)
			continue
		}
		require.NoError(t, err)
		if d := cmp.Diff(tt.want, tt.in); d != "" {
			t.Error(d)
		}
	}
}

// TestErasAreOrdered: names are one each, every deviation is of an invariant's form.
func TestErasAreOrdered(t *testing.T) {
	t.Parallel()
	var names []string
	for _, e := range Eras() {
		require.NotContains(t, names, e.Name)
		names = append(names, e.Name)
	}
	require.True(t, slices.Contains(names, "docker-1.8") && names[0] == "docker-1.8")
}
