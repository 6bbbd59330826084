package wire_test

import (
	"fmt"
	"net/http"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

func ExampleFormatTrace() {
	const session = "6f1c1a1e-77aa-4c5e-9d2b-0123456789ab"
	trace := wire.Trace{{
		Seq: 1, Conn: 1, Link: "127.0.0.1:40312", Fault: "reset", At: 1500 * time.Millisecond,
		Request: wire.Request{
			Method: "PATCH", Scheme: "http", Host: "127.0.0.1:5000",
			Target: "/v2/lib/app/blobs/uploads/" + session + "?_state=qL9d",
			Header: http.Header{"Authorization": {"Bearer eyJhbGciOiJFUzI1NiJ9"}},
			Body:   wire.Body{Length: 65536, Digest: "sha256:6b86b273ff34fce1"},
		},
		Failure: wire.FailureReset, Err: "read tcp 127.0.0.1:40312->127.0.0.1:5000: read: connection reset by peer",
	}}
	fmt.Print(wire.FormatTrace(trace))
	// Output:
	// pushcheck-trace 1
	//
	// #1 upload.patch conn=1 fault=reset
	// > PATCH http://HOST /v2/lib/app/blobs/uploads/SESSION1?_state=STATE
	// > Authorization: Bearer TOKEN
	// > body 65536 sha256:6b86b273ff34fce1
	// ! reset read tcp CLIENT->HOST: read: connection reset by peer
}
