package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/docker/libtrust"

	"github.com/pushcheck/pushcheck/internal/schema1"
)

// schema1Checks look at what docker before 1.10 pushes.
func schema1Checks() list { return list{man05, man06} }

// signed makes a signed manifest of one layer, which is pushed.
func (p *Probe) signed(ctx context.Context, tag string) ([]byte, error) {
	layer := p.blob("layer schema1", 120)
	if err := p.push(ctx, p.Repository, layer); err != nil {
		return nil, err
	}
	id := layer.digest.Encoded()
	m := schema1.Manifest{
		SchemaVersion: 1, Name: p.Repository, Tag: tag, Architecture: "amd64",
		FSLayers: []schema1.FSLayer{{BlobSum: layer.digest}},
		History:  []schema1.History{{V1Compatibility: `{"id":"` + id + `","created":"2015-10-12T12:00:00Z","architecture":"amd64","os":"linux"}`}},
	}
	unsigned, err := m.Encode()
	if err != nil {
		return nil, err
	}
	key, err := libtrust.GenerateECP256PrivateKey()
	if err != nil {
		return nil, err
	}
	return schema1.Sign(unsigned, key)
}

func (p *Probe) putSigned(ctx context.Context, tag string, signed []byte) (*answer, error) {
	a, err := p.send(ctx, request{method: http.MethodPut, url: manifestPath(p.Repository, tag), body: signed, header: header("Content-Type", schema1.MediaTypeSigned)})
	if err == nil && a.status/100 == 2 {
		d, _ := schema1.Digest(signed)
		p.remember(manifestPath(p.Repository, d.String()))
	}
	return a, err
}

var man05 = &Check{
	ID: "man-05", Level: May, Silent: true, Spec: "docker schema 1", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a signed schema 1 manifest is taken and given back with its signature, or refused with MANIFEST_INVALID or UNSUPPORTED",
	Hurts: "docker before 1.10, which sends nothing else",
	Run: func(ctx context.Context, p *Probe) error {
		signed, err := p.signed(ctx, "signed")
		if err != nil {
			return err
		}
		a, err := p.putSigned(ctx, "signed", signed)
		if err != nil {
			return err
		}
		if a.status/100 == 4 {
			codes := a.codes()
			if a.status == http.StatusUnsupportedMediaType || slices.Contains(codes, "MANIFEST_INVALID") || slices.Contains(codes, "UNSUPPORTED") {
				return &SkipError{Reason: "schema 1 manifests are refused"}
			}
			return a.violation("201, or MANIFEST_INVALID or UNSUPPORTED", a.said())
		}
		if err := a.want(http.StatusCreated, http.StatusAccepted); err != nil {
			return err
		}
		a, err = p.get(ctx, manifestPath(p.Repository, "signed"), "Accept", schema1.MediaTypeSigned)
		if err = first(err, a.wantIf(err, http.StatusOK)); err != nil {
			return err
		}
		sent, _ := schema1.Payload(signed)
		got, err := schema1.Payload(a.body)
		if err != nil || !bytes.Equal(sent, got) {
			return a.violation("the signed manifest that was pushed", excerpt(a.body))
		}
		if _, err := schema1.Verify(a.body); err != nil {
			return a.violation("a manifest whose signature holds", err.Error())
		}
		return nil
	},
}

var man06 = &Check{
	ID: "man-06", Level: May, Silent: true, Spec: "docker schema 1", Requires: list{man05},
	Doc:   "a schema 1 manifest whose signature does not hold is refused with MANIFEST_UNVERIFIED",
	Hurts: "docker before 1.10, which verifies what it pulls and then fails",
	Run: func(ctx context.Context, p *Probe) error {
		signed, err := p.signed(ctx, "forged")
		if err != nil {
			return err
		}
		var doc struct{ Signatures []struct{ Signature string } }
		if err := json.Unmarshal(signed, &doc); err != nil {
			return err
		}
		good := doc.Signatures[0].Signature
		a, err := p.putSigned(ctx, "forged", []byte(strings.Replace(string(signed), good, spoil(good), 1)))
		if err != nil {
			return err
		}
		return first(a.refused(), a.hasCode("MANIFEST_UNVERIFIED", "MANIFEST_INVALID"))
	},
}
