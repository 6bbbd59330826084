package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A v1Image is what of an image JSON matters here.
type v1Image struct {
	ID     string `json:"id"`
	Parent string `json:"parent"`
}

// An oldSave loads the archive that docker save wrote before 1.10: a folder per
// layer, <id>/{VERSION,json,layer.tar}, and repositories, {name: {tag: id}}.
type oldSave struct {
	*source
	visiting map[string]bool // layers whose parents are being loaded
	parents  map[string]bool // layers that are somebody's parent
}

func (s *source) loadOldSave(ctx context.Context) ([]Loaded, error) {
	o := &oldSave{source: s, visiting: map[string]bool{}, parents: map[string]bool{}}
	ids, err := s.layerFolders()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if err := o.layer(ctx, id, ""); err != nil {
			return nil, err
		}
	}
	loaded, err := o.tags(ctx)
	if err != nil {
		return nil, err
	}
	return append(loaded, o.unnamed(ids, loaded)...), nil
}

// layer adds the layer of a folder after its parent. child is who needs it.
func (o *oldSave) layer(ctx context.Context, id, child string) error {
	if _, ok := o.batch.byID[id]; ok {
		return nil
	}
	if o.visiting[id] {
		return o.fail(child+"/json", "its parent "+id+" is also its descendant", adviceRebuild)
	}
	o.visiting[id] = true
	defer delete(o.visiting, id)
	v1, img, err := o.v1(ctx, id)
	if err != nil {
		return err
	}
	if img.Parent != "" {
		o.parents[img.Parent] = true
		if err := o.parent(ctx, id, img.Parent); err != nil {
			return err
		}
	}
	name := id + "/layer.tar"
	file, err := o.need(ctx, name, id+"/json is there")
	if err != nil {
		return err
	}
	p, err := o.part(ctx, name, file, "", nil)
	if err != nil {
		return err
	}
	o.batch.addLayer(stagedLayer{id: id, v1: v1, rec: p.record(img.Parent)})
	return nil
}

// parent adds the parent of a layer, unless the store has it from before.
func (o *oldSave) parent(ctx context.Context, id, parent string) error {
	if !validID(parent) {
		return o.fail(id+"/json", fmt.Sprintf("its parent is %q; an ID has 64 hex digits", parent), adviceRebuild)
	}
	there, err := o.has(ctx, parent+"/json")
	switch {
	case err != nil:
		return err
	case there:
		return o.layer(ctx, parent, id)
	}
	if _, err := o.batch.store.Layer(parent); !errors.Is(err, ErrNoLayer) {
		return err
	}
	return o.fail(id+"/json", "its parent "+parent+" is neither in the archive nor in the store", adviceComplete)
}

// v1 reads a layer's JSON. A "sha256:" before its IDs is taken off (P-220).
func (s *source) v1(ctx context.Context, id string) ([]byte, v1Image, error) {
	name := id + "/json"
	file, err := s.need(ctx, name, "a layer is named "+id)
	if err != nil {
		return nil, v1Image{}, err
	}
	var img v1Image
	v1, err := s.document(name, file, &img)
	if err != nil {
		return nil, v1Image{}, err
	}
	for _, field := range []*string{&img.ID, &img.Parent} {
		if bare, ok := strings.CutPrefix(*field, "sha256:"); ok && validID(bare) {
			v1 = []byte(strings.ReplaceAll(string(v1), `"`+*field+`"`, `"`+bare+`"`))
			*field = bare
		}
	}
	if img.ID != id {
		return nil, v1Image{}, s.fail(name, fmt.Sprintf("its id is %q, not that of its folder", img.ID), adviceRebuild)
	}
	return v1, img, nil
}

// repositories reads the file of that name: name → tag → ID. Without one nothing
// has a name.
func (s *source) repositories(ctx context.Context) (map[string]map[string]string, error) {
	const name = "repositories"
	there, err := s.has(ctx, name)
	if err != nil || !there {
		return nil, err
	}
	file, err := s.fetch(ctx, name)
	if err != nil {
		return nil, err
	}
	var repositories map[string]map[string]string
	_, err = s.document(name, file, &repositories)
	return repositories, err
}

// tags gives images the names of repositories.
func (o *oldSave) tags(ctx context.Context) ([]Loaded, error) {
	const name = "repositories"
	repositories, err := o.repositories(ctx)
	if err != nil {
		return nil, err
	}
	var loaded []Loaded
	for repository, tags := range sorted(repositories) {
		for tag, id := range sorted(tags) {
			if _, ok := o.batch.byID[id]; !ok {
				if _, err := o.batch.store.Layer(id); err != nil {
					return nil, o.fail(name, fmt.Sprintf("%s:%s is a tag to %q, which is neither in the archive nor in the store", repository, tag, id), adviceComplete)
				}
			}
			one, err := o.named(name, repository, tag, Loaded{Image: id})
			if err != nil {
				return nil, err
			}
			loaded = append(loaded, one)
		}
	}
	return loaded, nil
}

// unnamed are the images that no name and no layer leads to.
func (o *oldSave) unnamed(ids []string, named []Loaded) []Loaded {
	var loaded []Loaded
	for _, id := range ids {
		if !o.parents[id] && !slices.ContainsFunc(named, func(l Loaded) bool { return l.Image == id }) {
			loaded = append(loaded, Loaded{Image: id})
		}
	}
	return loaded
}
