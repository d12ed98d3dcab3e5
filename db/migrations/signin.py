"""SQL of signing in from the second factor on: TOTP secrets (sealed), recovery codes (hashed), OIDC, session limits."""

from __future__ import annotations

TABLES = """
ALTER TABLE ops."user" ADD COLUMN must_change_password boolean NOT NULL DEFAULT false;

ALTER TABLE ops.user_session ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
  ADD COLUMN agent text, ADD COLUMN idle_s double precision;

CREATE TABLE ops.totp (
  user_id uuid PRIMARY KEY REFERENCES ops."user" ON DELETE CASCADE, secret_enc bytea NOT NULL,
  confirmed_at timestamptz, last_step bigint NOT NULL DEFAULT 0);

CREATE TABLE ops.recovery_code (
  user_id uuid NOT NULL REFERENCES ops."user" ON DELETE CASCADE, code_hash bytea NOT NULL,
  used_at timestamptz, PRIMARY KEY (user_id, code_hash));

CREATE TABLE ops.oidc_flow (
  state_hash bytea PRIMARY KEY, browser_hash bytea NOT NULL, nonce text NOT NULL, verifier text NOT NULL,
  back text NOT NULL, expires_at timestamptz NOT NULL);

CREATE TABLE ops.oidc_link (
  issuer text NOT NULL, subject text NOT NULL, user_id uuid NOT NULL REFERENCES ops."user" ON DELETE CASCADE,
  PRIMARY KEY (issuer, subject));

REVOKE ALL ON ops.totp, ops.recovery_code, ops.oidc_flow, ops.oidc_link FROM PUBLIC;
"""

# As before, but a session may be given a shorter idle time of its own.
ENTER = """
CREATE OR REPLACE FUNCTION ops.enter(token_hash bytea, idle_seconds double precision,
  OUT id uuid, OUT account text, OUT role text, OUT name jsonb, OUT is_demo boolean,
  OUT unseen_seconds double precision, OUT whole_city boolean, OUT territory text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, ops AS $$
BEGIN
  PERFORM set_config('hexward.user_id', '', true), set_config('hexward.session', '', true);
  SELECT u.id, u.account, u.role, u.name, u.is_demo, extract(epoch FROM now() - s.last_seen_at)
    INTO id, account, role, name, is_demo, unseen_seconds
  FROM ops.user_session s JOIN ops."user" u ON u.id = s.user_id
  WHERE s.token_hash = enter.token_hash AND u.disabled_at IS NULL AND s.expires_at > now()
    AND s.last_seen_at > now() - make_interval(secs => least(idle_seconds, s.idle_s));
  IF id IS NULL THEN RETURN; END IF;
  PERFORM set_config('hexward.user_id', id::text, true),
          set_config('hexward.session', encode(enter.token_hash, 'hex'), true);
  whole_city := ops.sees_city();
  SELECT coalesce(string_agg(coalesce('area ' || t.area_id, 'grid ' || t.grid_id), ', '
                             ORDER BY t.area_id, t.grid_id), '') INTO territory
  FROM ops.user_territory t WHERE t.user_id = enter.id;
END $$;
"""
