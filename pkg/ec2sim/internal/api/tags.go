package api

import (
	"unicode/utf8"

	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// EC2's bounds of tags.
const (
	maxTagKey   = 128
	maxTagValue = 256
)

// tagParam is one Tag.N of a request. A value that is absent and one that is empty are not the
// same.
type tagParam struct {
	Key   string
	Value *string
}

type tagsIn struct {
	dryRun
	ResourceId []string `query:"required"`
	Tag        []tagParam
}

func (in *tagsIn) resources(*world.World) []string { return in.ResourceId }

func (in *tagsIn) conditions() map[string][]string {
	keys := map[string][]string{}
	for _, t := range in.Tag {
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], t.Key)
		if t.Value != nil {
			keys["aws:RequestTag/"+t.Key] = []string{*t.Value}
		}
	}
	return keys
}

type (
	createTagsIn struct{ tagsIn }
	deleteTagsIn struct{ tagsIn }
)

func createTags(c *call, in *createTagsIn) (any, error) {
	if len(in.Tag) == 0 {
		return nil, refusal.Missing("Tag")
	}
	if err := checkTags(in.Tag); err != nil {
		return nil, err
	}
	return done(c.ChangeTags(in.ResourceId, func(tags world.Tags) error {
		for _, t := range in.Tag {
			tags[t.Key] = valueOf(t)
		}
		return c.MayHold(tags)
	}))
}

// deleteTags deletes what matches. Without tags it deletes every tag that is the user's.
func deleteTags(c *call, in *deleteTagsIn) (any, error) {
	if err := checkTags(in.Tag); err != nil {
		return nil, err
	}
	return done(c.ChangeTags(in.ResourceId, func(tags world.Tags) error {
		for key := range tags {
			if len(in.Tag) == 0 && !world.ReservedTag(key) {
				delete(tags, key)
			}
		}
		for _, t := range in.Tag {
			if value, ok := tags[t.Key]; ok && (t.Value == nil || *t.Value == value) {
				delete(tags, t.Key)
			}
		}
		return nil
	}))
}

// done is the answer of an operation that returns nothing but that it is done.
func done(err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return query.Done{Return: true}, nil
}

func checkTags(tags []tagParam) error {
	seen := map[string]bool{}
	for _, t := range tags {
		switch {
		case t.Key == "":
			return refusal.New("InvalidTagKey.Malformed", "Tag keys cannot be empty or null.")
		case world.ReservedTag(t.Key):
			return refusal.InvalidValue("Tag keys starting with 'aws:' are reserved for internal use")
		case utf8.RuneCountInString(t.Key) > maxTagKey:
			return refusal.InvalidValue("Tag key exceeds the maximum length of %d characters", maxTagKey)
		case utf8.RuneCountInString(valueOf(t)) > maxTagValue:
			return refusal.InvalidValue("Tag value exceeds the maximum length of %d characters", maxTagValue)
		case seen[t.Key]:
			return refusal.InvalidValue("Duplicate tag key '%s' specified.", t.Key)
		}
		seen[t.Key] = true
	}
	return nil
}

func valueOf(t tagParam) string {
	if t.Value == nil {
		return ""
	}
	return *t.Value
}
