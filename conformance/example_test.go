package conformance_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/pushcheck/pushcheck/conformance"
	"github.com/pushcheck/pushcheck/fakeregistry"
)

// A registry that answers PATCH as ECR does.
func ExampleRun() {
	registry := fakeregistry.NewV2(fakeregistry.V2Options{Quirks: fakeregistry.Quirks{PatchCreated: true}})
	defer registry.Close()
	server := httptest.NewServer(registry)
	defer server.Close()

	report, err := conformance.Run(context.Background(), conformance.Target{URL: server.URL}, conformance.Options{Run: []string{"chunk-01", "mono"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range report.Causes() {
		fmt.Println(c.Word, c.Checks, c.Title)
		fmt.Println("hurts", c.Hurts)
	}
	fmt.Println("exit", report.ExitCode(conformance.Must))
	// Output:
	// fail [chunk-01] want status 202, got 201
	// hurts strict clients (tart, mise), which stop at ECR's 201; every client where there is no PATCH
	// exit 1
}
