package fakeregistry

import (
	"net/http"
	"strings"
)

func bodyKinds() []Kind {
	status := func(doc string, usual ...int64) []Param { return []Param{statusParam(doc, usual...)} }
	return []Kind{
		{
			Name: "error-html", Layer: "body", Where: []string{"any"}, Seam: SeamRequest,
			Doc:    "The body of the error is a proxy's page; the message must be readable all the same.",
			Params: status("the status", 502, 500, 503, 403, 404),
			New: func(a Args) (Effect, error) {
				return replacement(func(w http.ResponseWriter, _ *http.Request) { pageOf(a.status(), "html", "").write(w) }), nil
			},
		},
		{
			Name: "error-empty", Layer: "body", Where: []string{"any"}, Seam: SeamRequest,
			Doc:    "An error without a word of explanation.",
			Params: status("the status", 500, 400, 403, 404),
			New: func(a Args) (Effect, error) {
				return replacement(func(w http.ResponseWriter, _ *http.Request) { page{status: a.status()}.write(w) }), nil
			},
		},
		{
			Name: "error-many", Layer: "body", Where: []string{"any"}, Seam: SeamRequest,
			Doc:    "Several errors in one envelope: a client must not keep the first one only.",
			Params: []Param{{Name: "codes", Type: ParamStrings, Default: []string{"DENIED", "UNAUTHORIZED"}, Doc: "the error codes; the first decides the status"}},
			New: func(a Args) (Effect, error) {
				errs := make([]*Error, 0, len(a.texts("codes")))
				for _, code := range a.texts("codes") {
					errs = append(errs, Code(code).With(nil))
				}
				return replacement(func(w http.ResponseWriter, _ *http.Request) { refuse(w, envelope(0, errs...)) }), nil
			},
		},
		{
			Name: "error-unknown", Layer: "body", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "The registry has an error code of its own.",
			Params: []Param{
				textParam("code", "QUOTA_EXCEEDED", "the code"),
				textParam("message", "", "its message; empty is the code in words"), statusParam("the status", 403, 400, 507),
			},
			New: func(a Args) (Effect, error) {
				message := a.text("message")
				if message == "" {
					message = strings.ToLower(strings.ReplaceAll(a.text("code"), "_", " "))
				}
				return replacement(func(w http.ResponseWriter, _ *http.Request) {
					refuse(w, envelope(a.status(), &Error{Code: Code(a.text("code")), Message: message}))
				}), nil
			},
		},
		{
			Name: "corrupt", Layer: "body", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "Some bits arrive changed, and only the digest can tell.",
			Params: []Param{
				{Name: "bits", Type: ParamInt, Default: int64(1), Doc: "how many bits"},
				enumParam("side", "which body", "request", "response"),
				{Name: "seed", Type: ParamInt, Doc: "decides which bits; the run's seed when it is not given"},
			},
			New: func(a Args) (Effect, error) { return corruption(a), nil },
		},
	}
}
