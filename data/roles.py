"""Roles and ways of moving by their Chinese and English names."""

__all__ = ["MODES", "ROLES", "ROLE_NAMES_ZH"]

ROLE_NAMES_ZH = {
    "centre_director": "网格中心主任",
    "grid_leader": "网格长",
    "gridworker": "网格员",
    "police": "社区民警",
    "mediator": "调解员",
    "doctor": "医生",
    "electrician": "水电工",
}
ROLES = (
    {zh: role for role, zh in ROLE_NAMES_ZH.items()}
    | {role: role for role in ROLE_NAMES_ZH}
    | {"专职网格员": "gridworker", "民警": "police", "人民调解员": "mediator"}
)
MODES = {"car": "car", "moped": "moped", "foot": "foot"} | {
    "汽车": "car",
    "警车": "car",
    "电动车": "moped",
    "步行": "foot",
}
