package engine

import (
	"encoding/json"
	"io"
	"net/http"
)

// auth answers auth: it tries credentials at the registry that they are for.
func (c *call) auth() error {
	var a authObject
	if err := json.NewDecoder(io.LimitReader(c.r.Body, authLimit)).Decode(&a); err != nil {
		return &apiError{http.StatusBadRequest, "bad parameter: the body is not an object with username, password and serveraddress: " + err.Error()}
	}
	if err := c.engine.config.Client.Login(c.r.Context(), a.ServerAddress, a.credentials()); err != nil {
		return err
	}
	return c.reply(map[string]string{"Status": "Login Succeeded", "IdentityToken": ""})
}
