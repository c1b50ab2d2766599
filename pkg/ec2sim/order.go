package ec2sim

import (
	"math/rand/v2"
	"reflect"
)

// WithAnyOrder has each answer list what it lists in another order. EC2 promises none.
func WithAnyOrder(seed uint64) Option {
	return func(c *config) { c.order = rand.New(rand.NewPCG(seed, 0)) }
}

// SetAnyOrder has the answers from now on list what they list in another order.
func (s *Sim) SetAnyOrder(seed uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	WithAnyOrder(seed)(&s.cfg)
}

// ordered is an answer in the order that it is told in.
func (s *Sim) ordered(body any) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.order == nil || body == nil {
		return body
	}
	return shuffled(reflect.ValueOf(body), s.cfg.order).Interface()
}

// shuffled is a copy of a value, with all lists in it in another order. What it is of stays as it
// is: it may be a part of the world.
func shuffled(v reflect.Value, r *rand.Rand) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		c := reflect.New(v.Type().Elem())
		c.Elem().Set(shuffled(v.Elem(), r))
		return c
	case reflect.Struct:
		c := reflect.New(v.Type()).Elem()
		c.Set(v)
		for i := range v.NumField() {
			if c.Field(i).CanSet() {
				c.Field(i).Set(shuffled(v.Field(i), r))
			}
		}
		return c
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i, to := range r.Perm(v.Len()) {
			c.Index(to).Set(shuffled(v.Index(i), r))
		}
		return c
	}
	return v
}
