package engine

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"

	"github.com/pushcheck/pushcheck/pusher"
)

// authLimit bounds what is read of a body that should be credentials.
const authLimit = 1 << 20

// An authObject is what clients send as credentials (P-013). Its serveraddress
// restricts nothing (P-015).
type authObject struct {
	Username      string `json:"username"`
	Password      string `json:"password"`
	Auth          string `json:"auth"`
	Email         string `json:"email"`
	ServerAddress string `json:"serveraddress"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

func (a authObject) credentials() pusher.Credentials {
	return pusher.Credentials{Username: a.Username, Password: a.Password, IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken}
}

// readAuth finds the credentials of a push: the X-Registry-Auth header, where
// anything unreadable means nobody (P-013); without the header the body, which
// must then be readable (P-014).
func readAuth(header string, body io.Reader) (authObject, error) {
	if header != "" {
		return decodeAuth(header), nil
	}
	var a authObject
	if err := json.NewDecoder(io.LimitReader(body, authLimit)).Decode(&a); err != nil {
		return authObject{}, &apiError{http.StatusBadRequest, "Bad parameters and missing X-Registry-Auth: " + err.Error()}
	}
	return a, nil
}

// decodeAuth reads the header's padded base64url of JSON.
func decodeAuth(header string) authObject {
	raw, err := base64.URLEncoding.DecodeString(header)
	if err != nil {
		return authObject{}
	}
	var a authObject
	if json.Unmarshal(raw, &a) != nil {
		return authObject{}
	}
	return a
}
