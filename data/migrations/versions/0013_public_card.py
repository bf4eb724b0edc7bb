"""The public card: its layout, door signs, photos with consent, and how often strangers ask."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and columns; a new layout or photo is told like other changes of staff."""
    op.get_bind().exec_driver_sql("""
        CREATE TABLE card_layout (
            county varchar(6) NOT NULL,
            code varchar(30) NOT NULL,
            name varchar(100) NOT NULL,
            roles varchar[] NOT NULL,
            services varchar[] NOT NULL DEFAULT '{}',
            services_en varchar[] NOT NULL DEFAULT '{}',
            hours varchar(100) NOT NULL DEFAULT '',
            hours_en varchar(100) NOT NULL DEFAULT '',
            supervision_phone varchar(40) NOT NULL DEFAULT '',
            shows_private_phone boolean NOT NULL DEFAULT false,
            shows_photo boolean NOT NULL DEFAULT false,
            source text NOT NULL,
            verified boolean NOT NULL,
            CONSTRAINT pk_card_layout PRIMARY KEY (county, code),
            CONSTRAINT ck_card_layout_services
                CHECK (cardinality(services) = cardinality(services_en))
        );
        CREATE CONSTRAINT TRIGGER directory_changed AFTER INSERT OR UPDATE OR DELETE ON card_layout
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION directory_changed('staff');
        CREATE TABLE door_sign (
            token varchar(24) CONSTRAINT pk_door_sign PRIMARY KEY,
            county varchar(6) NOT NULL,
            address_id bigint NOT NULL CONSTRAINT uq_door_sign_address_id UNIQUE
                CONSTRAINT fk_door_sign_address_id REFERENCES address (id) ON DELETE CASCADE,
            made_at timestamptz NOT NULL DEFAULT now()
        );
        ALTER TABLE person
            ADD COLUMN photo bytea,
            ADD COLUMN photo_consent_at timestamptz,
            ADD CONSTRAINT ck_person_photo_consent
                CHECK (photo IS NULL OR photo_consent_at IS NOT NULL);
        CREATE UNLOGGED TABLE asked (
            key varchar(80) CONSTRAINT pk_asked PRIMARY KEY,
            county varchar(6) NOT NULL,
            count integer NOT NULL,
            expires_at timestamptz NOT NULL
        );
        CREATE INDEX ix_asked_expires_at ON asked (expires_at);
        CREATE TABLE server_key (
            county varchar(6) CONSTRAINT pk_server_key PRIMARY KEY,
            key bytea NOT NULL
        );
    """)


def downgrade() -> None:
    """Drop it again."""
    op.get_bind().exec_driver_sql("""
        DROP TABLE server_key;
        DROP TABLE asked;
        ALTER TABLE person
            DROP CONSTRAINT ck_person_photo_consent,
            DROP COLUMN photo_consent_at,
            DROP COLUMN photo;
        DROP TABLE door_sign;
        DROP TABLE card_layout;
    """)
