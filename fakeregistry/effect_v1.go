package fakeregistry

import (
	"encoding/json"
	"net/http"
	"strings"
)

// v1Kinds are faults of the V1 protocol.
func v1Kinds() []Kind {
	refusal := func(name, where, doc, message string, usual ...int64) Kind {
		return Kind{
			Name: name, Layer: "protocol", Where: []string{where}, Seam: SeamRequest, Doc: doc,
			Params: []Param{statusParam("the status", usual...), textParam("message", message, "the error's text")},
			New: func(a Args) (Effect, error) {
				return replacement(func(w http.ResponseWriter, _ *http.Request) {
					v1Refusal(a.status(), a.text("message")).write(w)
				}), nil
			},
		}
	}
	return []Kind{
		refusal("v1-busy", "v1.layer.put", "A push that broke off left an image marked as being uploaded, and the registry asks to come back later.",
			"Image is being uploaded, retry later", 409, 400),
		{
			Name: "v1-endpoints", Layer: "protocol", Where: []string{"v1.repo.put"}, Seam: SeamRequest,
			Doc:    "The index sends the images to other hosts.",
			Params: []Param{{Name: "hosts", Type: ParamStrings, Doc: "the hosts, with or without ports; none when it is not given"}},
			New: func(a Args) (Effect, error) {
				hosts := strings.Join(a.texts("hosts"), ", ")
				return correction(func(_ *http.Request, status int, h http.Header) bool {
					if status >= http.StatusBadRequest || h.Get("X-Docker-Endpoints") == hosts {
						return false
					}
					h.Del("X-Docker-Endpoints")
					if hosts != "" {
						h.Set("X-Docker-Endpoints", hosts)
					}
					return true
				}), nil
			},
		},
		{
			Name: "v1-no-token", Layer: "protocol", Where: []string{"v1.repo.put"}, Seam: SeamRequest,
			Doc: "The index issues no token for what follows.",
			New: func(Args) (Effect, error) {
				return correction(func(_ *http.Request, _ int, h http.Header) bool {
					had := h.Get("X-Docker-Token") != ""
					h.Del("X-Docker-Token")
					if strings.HasPrefix(h.Get("Www-Authenticate"), "Token ") {
						h.Del("Www-Authenticate")
					}
					return had
				}), nil
			},
		},
		refusal("v1-checksum", "v1.checksum.put", "The registry computed another checksum, or does not like the image's ancestry.",
			"Checksum mismatch", 400),
	}
}

// v1Refusal is a refusal as the V1 registry writes it (P-440).
func v1Refusal(status int, message string) page {
	body, _ := json.Marshal(map[string]string{"error": message}) // a string is always encoded
	return page{status: status, kind: "application/json", body: string(body), headers: map[string]string{
		"Cache-Control": "no-cache", "Expires": "-1", "Pragma": "no-cache",
	}}
}
